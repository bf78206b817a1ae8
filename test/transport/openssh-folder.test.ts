/** What killed processes left in the folder for temporary files, next to what others put there. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

const before = process.env.TMPDIR;
const { pid: deadPid } = spawnSync(process.execPath, ['--version']);
let base: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'pl-vnm-tmp-'));
  process.env.TMPDIR = base;
  vi.resetModules();
});

afterEach(() => {
  vi.restoreAllMocks();
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
  rmSync(base, { recursive: true, force: true });
});

function make(name: string, mode: number): string {
  const path = join(base, name);
  mkdirSync(path);
  writeFileSync(join(path, 'file'), '');
  chmodSync(path, mode);
  return name;
}

/** The folder that the program makes in `base`. */
async function madeFolder(): Promise<string> {
  const { newPrivatePath } = await import('../../src/transport/openssh/folder.ts');
  return dirname(newPrivatePath());
}

it('only private directories of dead processes are removed', async () => {
  make(`pl-vnm-ssh-${deadPid}-left`, 0o700);
  const living = make(`pl-vnm-ssh-${process.pid}-mine`, 0o700);
  const open = make(`pl-vnm-ssh-${deadPid}-open`, 0o755);
  const other = make('other', 0o700);
  const link = `pl-vnm-ssh-${deadPid}-link`;
  symlinkSync(join(base, other), join(base, link));
  const file = `pl-vnm-ssh-${deadPid}-file`;
  writeFileSync(join(base, file), '', { mode: 0o700 });
  const folder = await madeFolder();
  expect(dirname(folder)).toBe(base);
  const left = readdirSync(base).filter((name) => join(base, name) !== folder);
  expect(left.toSorted()).toEqual([living, open, other, link, file].toSorted());
  expect(existsSync(join(base, other, 'file'))).toBe(true);
});

it('directories of other users stay', async () => {
  const name = make(`pl-vnm-ssh-${deadPid}-theirs`, 0o700);
  const owner = process.getuid!();
  vi.spyOn(process, 'getuid').mockReturnValue(owner + 1);
  await madeFolder();
  expect(readdirSync(join(base, name))).toEqual(['file']);
});

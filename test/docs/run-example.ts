/** Runs commands of the pages in this process, or only parses them. */
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, expect, vi } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { openStore } from '../../src/store/store.ts';
import { gallery } from '../support/slices.ts';
import { root } from './examples.ts';

/** A slice file with the faults that docs/slice-file.md shows. */
const bad = `slice: bad
vnet: 10.64.0.0/24
substrate:
  nodes: { n1: {}, n2: {}, gw1: {}, gw2: {}, h1: {}, h2: {} }
vn:
  name: bad
  routers: [a, b]
  links: [[a, b]]
  gatways:
    g3: { node: gw1, router: a }

  gateways:
    g1: { node: gw3, router: a }
    g2: { node: gw2, router: b }
  endHosts: { e1: { node: h1, gateway: g1 }, e2: { node: h2, gateway: g2 } }

  flows:
    - { from: e1, to: e2, rate: 1.5 }
placements:
  initial: { a: n1 }
`;

/** A directory with the files that the pages name, and a database with the slices `two` and `three`. */
export function exampleDirectory(office: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-examples-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const two = readFileSync(gallery('two-node'), 'utf8');
  symlinkSync(join(root, 'slices'), join(directory, 'slices'));
  writeFileSync(join(directory, 'office.yaml'), office);
  writeFileSync(join(directory, 'bad.yaml'), bad);
  writeFileSync(join(directory, 'broken.yaml'), two.replace('b: n2 }', 'b: n9 }'));
  const store = openStore(join(directory, 'pl-vnm.db'));
  for (const name of ['two-node', 'three-node']) store.slices.save(readSlice(gallery(name)));
  store.close();
  return directory;
}

/** Runs a command in this process at a fixed time. `printed`: without progress, which the pages leave out. */
export async function run(
  words: readonly string[],
  directory: string,
): Promise<{ printed: string; exitCode: unknown }> {
  let printed = '';
  const print = (text: unknown) => {
    if (!/^( {2}|- )\w/.test(`${text}`)) printed += text;
    return true;
  };
  const streams = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, 'write').mockImplementation(print));
  // A command does not keep its process alive for its parent; the tests' process has to stay.
  const { channel } = process;
  const unref = channel == null ? undefined : vi.spyOn(channel, 'unref').mockReturnValue();
  const before = { cwd: process.cwd(), exitCode: process.exitCode };
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-25T00:45:00Z') });
  process.chdir(directory);
  try {
    await createProgram().parseAsync(words, { from: 'user' });
    return { printed, exitCode: process.exitCode };
  } finally {
    process.chdir(before.cwd);
    process.exitCode = before.exitCode;
    vi.useRealTimers();
    unref?.mockRestore();
    for (const stream of streams) stream.mockRestore();
  }
}

/** Throws at an unknown command or option; runs nothing. */
export async function parseOnly(words: readonly string[]): Promise<void> {
  const program = createProgram();
  let ran = 0;
  const silence = (command: Command) => {
    command.configureOutput({ writeErr: () => {} });
    if (command.commands.length === 0) {
      command.action(() => {
        ran += 1;
      });
    }
    command.commands.forEach(silence);
  };
  silence(program);
  await program.parseAsync(words, { from: 'user' });
  expect(ran, words.join(' ')).toBe(1);
}

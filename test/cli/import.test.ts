import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';

const input = (file: string) => fileURLToPath(new URL(`../import/inputs/${file}`, import.meta.url));

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-import-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
  process.exitCode = undefined;
});

/** Runs a command in this process. */
async function run(...words: string[]) {
  const said = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += text;
      return true;
    }),
  );
  // A command does not keep its process alive for its parent; the tests' process has to stay.
  const { channel } = process;
  const unref = channel == null ? undefined : vi.spyOn(channel, 'unref').mockReturnValue();
  try {
    await createProgram().parseAsync(words, { from: 'user' });
  } finally {
    unref?.mockRestore();
    for (const spy of spies) spy.mockRestore();
  }
  return { ...said, code: process.exitCode };
}

describe('pl-vnm import', () => {
  it('prints a slice file on stdout, and on stderr what it left out, also with --quiet', async () => {
    const { stdout, stderr, code } = await run('--quiet', 'import', input('ring.graphml'));
    expect(stdout).toMatch(/^# Made by 'pl-vnm import' from ring\.graphml \(GraphML\)\.\n/);
    expect(stderr).toContain('ring.graphml:16:7: not imported: data Country (2 times)\n');
    expect(code).toBe(0);
    const file = join(directory, 'slice.yaml');
    writeFileSync(file, stdout);
    expect((await run('validate', file)).stdout).toBe(`${file}: ok\n`);
  });

  it('writes a new file, and never over another', async () => {
    const file = join(directory, 'slice.yaml');
    const { stdout } = await run(
      'import',
      input('lab.conf'),
      '--output',
      file,
      '--name',
      'lab',
      '--vnet',
      '10.9.0.0/20',
    );
    expect(stdout).toMatch(`${file}: slice 'lab' with 5 nodes, from Kathara lab\n`);
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('slice: lab\nvnet: 10.9.0.0/20\n');
    const again = await run('import', input('coast.xml'), '--output', file);
    expect(again.stderr).toBe(`pl-vnm: ${file} exists\n  hint: update it with --update, or write to another file\n`);
    expect(again.code).toBe(1);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it('updates a file in place, also behind a link, and leaves nothing else there', async () => {
    const file = join(directory, 'slice.yaml');
    await run('import', input('ansible-hosts.yml'), '--output', file);
    const link = join(directory, 'link.yaml');
    symlinkSync(file, link);
    const inventory = join(directory, 'hosts');
    writeFileSync(inventory, '[all]\nclab-campus-r1 ansible_host=172.20.20.99 ansible_user=vnm\n');
    const { stdout } = await run('import', inventory, '--update', link);
    expect(stdout.split('\n')).toEqual([
      `${link}: slice 'ansible-hosts' with 3 nodes, from Ansible inventory`,
      'changed: clab-campus-r1: host 172.20.20.11 -> 172.20.20.99',
      'kept: clab-campus-r2: not in the imported files',
      'kept: clab-campus-gw1: not in the imported files',
      '',
    ]);
    expect(readFileSync(file, 'utf8')).toContain('{ host: 172.20.20.99, user: vnm }');
    expect(readdirSync(directory).toSorted()).toEqual(['hosts', 'link.yaml', 'slice.yaml']);
    const before = statSync(file).mtimeMs;
    await run('import', inventory, '--update', link);
    expect(statSync(file).mtimeMs).toBe(before);
  });

  it('writes an update to another file when there is --output', async () => {
    const file = join(directory, 'slice.yaml');
    await run('import', input('ansible-hosts.yml'), '--output', file);
    const text = readFileSync(file, 'utf8');
    const inventory = join(directory, 'hosts');
    writeFileSync(inventory, 'clab-campus-r1 ansible_host=172.20.20.99\n');
    const copy = join(directory, 'copy.yaml');
    await run('import', inventory, '--update', file, '--output', copy);
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect(readFileSync(copy, 'utf8')).toBe(text.replace('172.20.20.11', '172.20.20.99'));
  });

  it('prints one document with --json', async () => {
    const { stdout, stderr } = await run('--json', 'import', input('jfed-manifest.xml'), '--user', 'alice');
    const found = JSON.parse(stdout) as Record<string, unknown>;
    expect(found).toMatchObject({ slice: 'jfed-manifest', nodes: 3, sources: ['GENI manifest'], changes: [] });
    expect(found.text).toContain('ssh: { user: alice }');
    expect(stderr).toBe('');
  });

  it.each([
    [
      ['import', '/nowhere/hosts'],
      'pl-vnm: cannot read /nowhere/hosts: no such file\n  hint: give a text file of at most 4 MiB\n',
    ],
    [
      ['import', input('jfed-manifest.xml')],
      `pl-vnm: ${input('jfed-manifest.xml')}:3:3: node node0 has the logins alice, bob\n  hint: say which one is yours with --user NAME\n`,
    ],
  ])('reports one error and writes nothing: %s', async (words, message) => {
    const file = join(directory, 'slice.yaml');
    const { stderr, code } = await run(...words, '--output', file);
    expect(stderr).toBe(message);
    expect(code).toBe(3);
    expect(existsSync(file)).toBe(false);
  });

  it('reads Latin-1 where an XML file says so', async () => {
    const file = join(directory, 'net.xml');
    const text = readFileSync(input('coast.xml'), 'latin1').replace('made up', 'Málaga');
    writeFileSync(file, text.replaceAll('Porto', 'Pórto'), 'latin1');
    expect((await run('import', file)).stdout).toContain('- [lisboa, porto, 1.37]');
    writeFileSync(file, text.replace('ISO-8859-1', 'UTF-8'), 'latin1');
    expect((await run('import', file)).stderr).toBe(
      `pl-vnm: ${file}: it is not UTF-8 text\n  hint: save it as UTF-8\n`,
    );
  });
});

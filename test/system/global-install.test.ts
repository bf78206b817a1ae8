/** What `npm pack` makes, installed by `npm install --global` into an empty prefix. */
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';
import { startRegistry } from '../support/package-registry.ts';
import { describeAsRoot } from '../support/privileges.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string };
const run = promisify(execFile);
/** Enough on a busy machine. */
const patienceMs = 600_000;

let directory: string;
let program: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-global-'));
  const tarball = await pack(join(directory, 'sources'));
  const registry = await startRegistry();
  try {
    const prefix = join(directory, 'prefix');
    mkdirSync(prefix);
    const env = {
      PATH: process.env.PATH,
      HOME: join(directory, 'home'),
      npm_config_cache: join(directory, 'cache'),
      npm_config_registry: registry.url,
    };
    // What install scripts compile is optional, and would take a compiler and a network.
    const words = ['install', '--global', '--prefix', prefix, '--ignore-scripts', '--no-audit', '--no-fund', tarball];
    await run('npm', words, { cwd: directory, env });
    program = join(prefix, 'bin/pl-vnm');
  } finally {
    await registry.close();
  }
}, patienceMs);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Packs a copy of the checkout, since building replaces `dist`, and other tests pack at the same time. */
async function pack(copy: string): Promise<string> {
  const { files } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { files: string[] };
  const manifests = ['package.json', 'package-lock.json', 'README.md', 'LICENSE'];
  const needed = [...files.filter((name) => !/^dist$|\*/.test(name)), 'src', ...manifests];
  for (const name of needed) cpSync(join(checkout, name), join(copy, name), { recursive: true });
  symlinkSync(join(checkout, 'node_modules'), join(copy, 'node_modules'));
  await run('npm', ['pack', '--offline', '--silent', '--pack-destination', directory], { cwd: copy });
  return join(directory, `pl-vnm-${version}.tgz`);
}

describe('the program that npm installed globally', () => {
  it('runs by its name, with a manual page', () => {
    const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
    expect(stdout).toBe(`${version}\n`);
    expect(existsSync(join(directory, 'prefix/share/man/man1/pl-vnm.1'))).toBe(true);
  });

  it('runs the demo in user space', async () => {
    const vnm = commandLine(join(directory, 'userspace'), program);
    const { code, stdout, stderr } = await vnm.run('demo --dataplane userspace');
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('Everything was taken down again.');
    expect(stderr).toContain('- testbed: data plane userspace (as requested)');
  });
});

describeAsRoot('the program that npm installed globally, as root', () => {
  it('runs the demo in network namespaces', async () => {
    const vnm = commandLine(join(directory, 'kernel'), program);
    const { code, stderr } = await vnm.run('demo');
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('- testbed: data plane kernel');
  });
});

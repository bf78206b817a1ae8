/** The Debian package, unpacked into an empty folder, where only its paths differ from an installed one. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithoutRoot } from '../support/programs.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string };
const run = promisify(execFile);
/** Packing some hundred megabytes takes minutes on a busy machine. */
const patienceMs = 600_000;
const outputOf = async (program: string, ...words: string[]) =>
  (await run(program, words, { maxBuffer: 64 * 1024 * 1024 })).stdout;

describeWithoutRoot('dpkg-deb', 'the Debian package', () => {
  let directory: string;
  let file: string;
  let root: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'pl-vnm-deb-test-'));
    const { stdout } = await run('npm', ['run', '-s', 'deb:run', '--', directory], { cwd: checkout });
    file = stdout.trim();
    root = join(directory, 'root');
    await run('dpkg-deb', ['--extract', file, root]);
  }, patienceMs);
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('its name and fields say what it is', async () => {
    const architecture = (await outputOf('dpkg', '--print-architecture')).trim();
    expect(file).toBe(join(directory, `pl-vnm_${version}_${architecture}.deb`));
    const info = await outputOf('dpkg-deb', '--field', file);
    expect(info).toContain(`Package: pl-vnm\nVersion: ${version}\n`);
    expect(info).toContain(`Architecture: ${architecture}\n`);
    expect(info).toMatch(/^Installed-Size: \d{5,6}$/m);
    expect(info).toMatch(/^Description: \S.+\n( \S.*\n)+$/m);
    expect(await outputOf('dpkg-deb', '--info', file)).toContain('md5sums');
  });

  it('it has the program, its page, completions and papers, which belong to root and everybody may read', async () => {
    const lines = (await outputOf('dpkg-deb', '--contents', file)).split('\n').filter((line) => line !== '');
    const entries = lines.map((line) => {
      const [, mode, owner, path] = /^(\S+) (\S+) +\d+ \S+ \S+ \.(.*?)(?: -> .*)?$/.exec(line)!;
      return { mode: mode!, owner: owner!, path: path! };
    });
    const paths = entries.map(({ path }) => path);
    for (const needed of [
      '/usr/bin/pl-vnm',
      '/usr/lib/pl-vnm/bin/node',
      '/usr/lib/pl-vnm/dist/cli/main.js',
      '/usr/lib/pl-vnm/node_modules/zod/package.json',
      '/usr/share/bash-completion/completions/pl-vnm',
      '/usr/share/doc/pl-vnm/changelog.Debian.gz',
      '/usr/share/doc/pl-vnm/copyright',
      '/usr/share/fish/vendor_completions.d/pl-vnm.fish',
      '/usr/share/man/man1/pl-vnm.1.gz',
      '/usr/share/zsh/vendor-completions/_pl-vnm',
    ])
      expect(paths).toContain(needed);
    expect(paths.filter((path) => /\/node_modules\/(vitest|typescript|@biomejs)\//.test(path))).toEqual([]);
    expect(new Set(entries.map(({ owner }) => owner))).toEqual(new Set(['root/root']));
    expect(entries.filter(({ mode }) => !/^(d|l|-)r.[x-]r.[x-]r.[x-]$/.test(mode) || /^[^l]....w/.test(mode))).toEqual(
      [],
    );
  });

  it('its copyright names the license of each package, and its changelog the version', () => {
    const copyright = readFileSync(join(root, 'usr/share/doc/pl-vnm/copyright'), 'utf8');
    expect(copyright).toMatch(/^ zod \d+\.\d+\.\d+: MIT$/m);
    expect(copyright).toContain(`Node.js ${process.version}`);
    expect(copyright).toContain('License: MIT\n Permission is hereby granted');
    const log = gunzipSync(readFileSync(join(root, 'usr/share/doc/pl-vnm/changelog.Debian.gz'))).toString();
    expect(log).toMatch(new RegExp(`^pl-vnm \\(${version}\\) unstable; urgency=medium\n`));
    expect(log).toMatch(/\n -- .+ <.+> {2}\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} \+0000\n$/);
    expect(existsSync(join(root, 'usr/share/doc/pl-vnm/examples/two-node.yaml'))).toBe(true);
  });

  it('it runs with the Node.js that it brings', () => {
    const home = join(root, 'usr/lib/pl-vnm');
    // The command in /usr/bin has the full paths of an installed package.
    expect(readFileSync(join(root, 'usr/bin/pl-vnm'), 'utf8')).toContain(
      'exec /usr/lib/pl-vnm/bin/node /usr/lib/pl-vnm/',
    );
    const vnm = (...words: string[]) => {
      const options = { cwd: directory, env: { HOME: directory, PATH: '' }, encoding: 'utf8' } as const;
      const all = [join(home, 'src/cli/pl-vnm.mjs'), ...words];
      const { status, stdout, stderr } = spawnSync(join(home, 'bin/node'), all, options);
      return { status, stdout, stderr };
    };
    expect(vnm('--version')).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
    const slice = join(home, 'slices/two-node.yaml');
    expect(vnm('validate', slice)).toEqual({ status: 0, stdout: `${slice}: ok\n`, stderr: '' });
    const plan = vnm('plan', slice, '--to', 'final', '--latency', 'declared');
    expect(plan).toMatchObject({ status: 0, stdout: expect.stringContaining("VN 'two' from 'initial' to 'final'") });
  });
});

/** The package that `npm pack` makes, installed like `npm install --global`, but without a network. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import type { PlanResult } from '../../src/controller/plan.ts';
import { type CommandLine, commandLine } from '../support/command-line.ts';
import { describeAsRoot } from '../support/privileges.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const { version, dependencies } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'));

/** The files that an old Node.js reads before the program can report that it is too old. */
const readByOld = ['pl-vnm.mjs', 'launch.mjs', 'node-version.mjs'].map((name) => join(checkout, 'src/cli', name));

/** Where it is installed: the program's files are in another directory than its command. */
let prefix: string;
let program: string;
let vnm: CommandLine;

beforeAll(() => {
  prefix = mkdtempSync(join(tmpdir(), 'pl-vnm package-'));
  execFileSync('npm', ['pack', '--offline', '--silent', '--pack-destination', prefix], { cwd: checkout });
  const modules = join(prefix, 'lib/node_modules');
  mkdirSync(modules, { recursive: true });
  execFileSync('tar', ['-xzf', join(prefix, `pl-vnm-${version}.tgz`), '-C', modules]);
  cpSync(join(modules, 'package'), join(modules, 'pl-vnm'), { recursive: true });
  rmSync(join(modules, 'package'), { recursive: true });
  // Its dependencies, without those for development.
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(checkout, 'node_modules', name), join(modules, name));
  }
  mkdirSync(join(prefix, 'bin'));
  program = join(prefix, 'bin/pl-vnm');
  symlinkSync('../lib/node_modules/pl-vnm/src/cli/pl-vnm.mjs', program);
  vnm = commandLine(join(prefix, 'elsewhere'), program);
});
afterAll(() => rmSync(prefix, { recursive: true, force: true }));

const slices = () => join(prefix, 'lib/node_modules/pl-vnm/slices');

/** The output and exit code of a program under a Node.js that claims to have this version. */
function runUnder(node: string, file: string, ...words: string[]) {
  const claim = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${node}' } })`;
  const preload = `data:text/javascript,${encodeURIComponent(claim)}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', preload, file, ...words], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('the installed package', () => {
  it('the installed package runs from any directory', async () => {
    expect(await vnm.run('--version')).toMatchObject({ code: 0, stdout: `${version}\n` });
    expect(await vnm.ok('validate', join(slices(), 'two-node.yaml'))).toEqual({ ok: true, faults: [] });
    const plan = await vnm.ok<PlanResult>(
      'plan --to final --latency declared --schedule optimal',
      join(slices(), 'two-node.yaml'),
    );
    expect(plan.schedules).toMatchObject([{ name: 'optimal' }]);
    expect(await vnm.ok('status')).toEqual({ slices: [] });
  });

  it('the installed package imports, draws, and has a manual page', async () => {
    const lab = join(prefix, 'lab.conf');
    writeFileSync(lab, 'r1[0]="A"\nr2[0]="A"\n');
    expect(await vnm.ok('import', lab)).toMatchObject({ slice: 'lab', nodes: 2 });
    const drawn = await vnm.run('graph --format svg', join(slices(), 'two-node.yaml'));
    expect(drawn).toMatchObject({ code: 0, stdout: expect.stringMatching(/^<svg [\s\S]*<\/svg>\n$/) });
    const { man } = JSON.parse(readFileSync(join(prefix, 'lib/node_modules/pl-vnm/package.json'), 'utf8'));
    expect(man).toEqual(['dist/pl-vnm.1']);
    const page = readFileSync(join(prefix, 'lib/node_modules/pl-vnm', man[0]), 'utf8');
    expect(page).toMatch(/^\.TH PL-VNM 1 /);
  });

  it('the installed package runs the service', async () => {
    const running = vnm.start('serve --port 0');
    await running.said('listening on http://127.0.0.1:');
    running.interrupt();
    expect((await running.finished).code).toBe(0);
  });

  it.each(['12.22.12', '20.20.2', '22.17.1'])(
    'the installed package reports in one line that Node.js %s is too old',
    (node) => {
      expect(runUnder(node, program, 'status')).toEqual({
        status: 1,
        stdout: '',
        stderr: `pl-vnm needs Node.js 22.18 or later, but this is ${node}: install a later Node.js\n`,
      });
    },
  );
});

describeAsRoot('the installed package', () => {
  it('the installed package contains everything that nodes need', async () => {
    const file = join(slices(), 'two-node.yaml');
    await vnm.ok('testbed up', file);
    try {
      expect(await vnm.ok('install', file)).toMatchObject({ vns: [{ vn: 'two', placement: 'initial' }] });
    } finally {
      await vnm.ok('testbed down');
    }
  });
});

describe('a checkout under an old Node.js', () => {
  it('a checkout under an old Node.js tells how to install a newer one', () => {
    const fresh = join(prefix, 'checkout/src/cli');
    mkdirSync(fresh, { recursive: true });
    for (const file of [...readByOld, join(checkout, 'src/cli/main.ts')]) cpSync(file, join(fresh, basename(file)));
    expect(runUnder('20.20.2', join(fresh, 'pl-vnm.mjs'), 'status')).toEqual({
      status: 1,
      stdout: '',
      stderr: "pl-vnm needs Node.js 22.18 or later, but this is 20.20.2: run 'npm run setup' in the checkout\n",
    });
  });

  // Newer syntax would be rewritten or refused.
  test.each(readByOld)('Node.js 12.20 can read %s', async (file) => {
    const text = readFileSync(file, 'utf8');
    const [old, latest] = await Promise.all(
      ['node12.20', 'esnext'].map((target) => transform(text, { format: 'esm', target })),
    );
    expect(old!.code).toBe(latest!.code);
  });
});

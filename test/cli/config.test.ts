/** Settings and the place of the database, with the program as it is installed. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compiled } from '../support/command-line.ts';
import { builtProgram } from '../support/program.ts';
import { gallery } from '../support/slices.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-config-'));
  mkdirSync(join(directory, 'work'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Runs the program in an empty directory, with a home and state folder of its own. */
function run(words: string, variables: Record<string, string> = {}) {
  const env = {
    PATH: process.env.PATH,
    HOME: join(directory, 'home'),
    XDG_STATE_HOME: join(directory, 'state'),
    NODE_COMPILE_CACHE: compiled,
    ...variables,
  };
  const options = { cwd: join(directory, 'work'), env, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [builtProgram(), ...words.split(' ')], options);
  return { status, stdout, stderr };
}

const state = () => join(directory, 'state/pl-vnm');
const database = () => join(state(), 'pl-vnm.db');
const add = `job add nightly --slice ${gallery('two-node')} --to final --at`;

function writeSettings(text: string): string {
  const file = join(directory, 'home/.config/pl-vnm/config.yaml');
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, text);
  return file;
}

describe('the database of an installed program', () => {
  it('a new one is in the state folder, which only its user may read, and stderr says so', () => {
    const { status, stderr } = run(`${add} 2099-01-01T03:00Z`);
    expect({ status, stderr }).toEqual({ status: 0, stderr: `  new database: ${database()}\n` });
    expect(statSync(state()).mode & 0o777).toBe(0o700);
    expect(existsSync(database())).toBe(true);
    expect(existsSync(join(directory, 'work/pl-vnm.db'))).toBe(false);
    // It is not new any more.
    expect(run('job list')).toMatchObject({ status: 0, stderr: '', stdout: expect.stringContaining('nightly') });
  });

  it('a command that only reads makes neither a database nor its folder, and says where it looked', () => {
    expect(run('status')).toEqual({ status: 0, stdout: `no slices in ${database()} yet\n`, stderr: '' });
    expect(existsSync(state())).toBe(false);
  });

  it('one in the working directory is used as before', () => {
    writeFileSync(join(directory, 'work/pl-vnm.db'), '');
    expect(run(`${add} 2099-01-01T03:00Z`)).toMatchObject({ status: 0, stderr: '' });
    expect(existsSync(state())).toBe(false);
  });

  it('a state folder that cannot be made is one error', () => {
    writeFileSync(join(directory, 'state'), '');
    const { status, stderr } = run(`${add} 2099-01-01T03:00Z`);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^pl-vnm: cannot create the folder \S+ for the database: .*\n {2}hint: choose another .*--db\n$/,
    );
  });
});

describe('config', () => {
  it('shows each setting, its value and its origin', () => {
    const file = writeSettings('wait: true\n');
    const { status, stdout } = run('-q config', { PL_VNM_ACCEPT_NEW_HOST_KEYS: '1' });
    expect(status).toBe(0);
    expect(stdout.split('\n').map((line) => line.replaceAll(/ {2,}/g, '  '))).toEqual([
      'setting  value  from',
      expect.stringMatching(/^-+ {2}-+ {2}-+$/),
      `db  ${database()}  default: the place in the user's state folder`,
      'json  false  default',
      'acceptNewHostKeys  true  variable: PL_VNM_ACCEPT_NEW_HOST_KEYS',
      `wait  true  file: ${file}:1:1`,
      'verbose  false  default',
      'quiet  true  command line: --quiet',
      '',
      `settings file: ${file}`,
      '',
    ]);
  });

  it('prints the same as JSON, also when a variable asks for that', () => {
    const { stdout } = run('config', { PL_VNM_JSON: 'true' });
    expect(JSON.parse(stdout)).toMatchObject({
      file: { path: join(directory, 'home/.config/pl-vnm/config.yaml'), exists: false },
      settings: {
        db: { value: database(), source: 'default' },
        json: { value: true, source: 'environment', where: 'PL_VNM_JSON' },
      },
    });
  });

  it('reports faults of the file and of variables with their exit codes', () => {
    expect(run('status', { PL_VNM_WAIT: '2' })).toEqual({
      status: 2,
      stdout: '',
      stderr:
        "pl-vnm: invalid value of PL_VNM_WAIT: expected true or false, found '2'\n  hint: set it to true or false, or unset it\n",
    });
    const asJson = run('status', { PL_VNM_WAIT: '2', PL_VNM_JSON: 'true' }).stdout;
    expect(JSON.parse(asJson)).toMatchObject({ error: { code: 'usage' } });
    expect(JSON.parse(run('migrate', { PL_VNM_JSON: 'true' }).stdout)).toMatchObject({ error: { code: 'usage' } });
    const file = writeSettings('colour: true\n');
    const { status, stdout, stderr } = run('--json config');
    expect(status).toBe(3);
    expect(stderr).toContain(`${file}:1:1: unknown key 'colour' (known keys: `);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'invalid-input' } });
    // What a shell does with it must not depend on the settings.
    expect(run('completion bash')).toMatchObject({ status: 0, stderr: '' });
    writeSettings('json: true\nquiet: true\n');
    expect(JSON.parse(run('migrate').stdout)).toMatchObject({ error: { code: 'usage' } });
    expect(run('--no-quiet -v --no-json status')).toMatchObject({ status: 0 });
    expect(run('--version')).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('colours of the program', () => {
  const colours = { FORCE_COLOR: '1' };

  it('outcomes and errors have them where they are wanted, and JSON never', () => {
    const slice = gallery('two-node');
    expect(run(`validate ${slice}`).stdout).toBe(`${slice}: ok\n`);
    expect(run(`validate ${slice}`, colours).stdout).toBe(`${slice}: \u001b[32mok\u001b[39m\n`);
    expect(run('show 1', colours).stderr).toContain('\u001b[31mpl-vnm:\u001b[39m there is no migration 1 in ');
    const { stdout, stderr } = run('--json show 1', colours);
    expect(`${stdout}${stderr}`).not.toContain('\u001b');
  });
});

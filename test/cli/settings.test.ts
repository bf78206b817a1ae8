import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { globalOptions } from '../../src/cli/run.ts';
import { applySettings, settingsOf } from '../../src/cli/settings/apply.ts';
import { databasePlace } from '../../src/cli/settings/database-place.ts';
import { parseSettings, readSettings, settingsFile } from '../../src/cli/settings/file.ts';
import type { ResolvedSettings } from '../../src/cli/settings/resolve.ts';
import {
  type GlobalOptions,
  type SettingName,
  settingNames,
  settings,
  switchNames,
} from '../../src/cli/settings/settings.ts';
import type { VnmError } from '../../src/model/errors.ts';
import { examplesOf, textOf } from '../docs/examples.ts';
import { temporaryHome } from '../support/temporary-home.ts';

let home: ReturnType<typeof temporaryHome>;
beforeEach(() => {
  home = temporaryHome();
  vi.stubEnv('XDG_CONFIG_HOME', undefined);
  vi.stubEnv('XDG_STATE_HOME', undefined);
  for (const name of settingNames) vi.stubEnv(settings[name].variable, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  home.restore();
});

function writeSettings(text: string): string {
  const file = join(home.path, '.config/pl-vnm/config.yaml');
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, text);
  return file;
}

/** What a command gets, and what `config` says of it. */
function run(...words: string[]): { readonly options: GlobalOptions; readonly found: ResolvedSettings } {
  const program = createProgram().hook('preAction', applySettings);
  let ran: Command | undefined;
  const body = (command: Command) => {
    ran = command;
  };
  program.addCommand(
    new Command('probe').argument('[slice]').action((_slice: unknown, _options: unknown, command) => body(command)),
  );
  const completion = program.commands.find((command) => command.name() === 'completion')!;
  completion.action((_shell: unknown, _words: unknown, _options: unknown, command: Command) => body(command));
  program.parse(words, { from: 'user' });
  return {
    options: globalOptions(ran!),
    get found() {
      return settingsOf(program, ran!);
    },
  };
}

function errorOf(action: () => unknown): Partial<VnmError> {
  try {
    action();
  } catch (error) {
    return error as VnmError;
  }
  throw new Error('nothing was thrown');
}

const flagOf = (name: SettingName) => settings[name].flags.replace(/^.*(--[a-z-]+).*$/, '$1');

describe('the origin of a setting', () => {
  it.each(switchNames)(
    '%s: the command line wins over the variable, that over the file, that over the default',
    (name) => {
      const { variable } = settings[name];
      expect(run('probe').found[name]).toEqual({ value: false, source: 'default' });
      const file = writeSettings(`# mine\n${name}: true\n`);
      expect(run('probe').found[name]).toEqual({ value: true, source: 'file', where: `${file}:2:1` });
      expect(run('probe').options[name]).toBe(true);
      vi.stubEnv(variable, 'no');
      expect(run('probe').found[name]).toEqual({ value: false, source: 'environment', where: variable });
      expect(run('probe').options[name]).toBe(false);
      const flag = flagOf(name);
      expect(run(flag, 'probe').found[name]).toEqual({ value: true, source: 'command-line', where: flag });
      expect(run('probe', flag).options[name]).toBe(true);
      vi.stubEnv(variable, 'yes');
      const negated = flag.replace('--', '--no-');
      expect(run(negated, 'probe').found[name]).toEqual({ value: false, source: 'command-line', where: negated });
      expect(run(negated, 'probe').options[name]).toBe(false);
    },
  );

  it('db: the command line wins over the variable, that over the file', () => {
    const file = writeSettings('db: ~/vn.db\n');
    expect(run('probe').found.db).toEqual({ value: join(home.path, 'vn.db'), source: 'file', where: `${file}:1:1` });
    vi.stubEnv('PL_VNM_DB', 'other.db');
    expect(run('probe').found.db).toEqual({ value: 'other.db', source: 'environment', where: 'PL_VNM_DB' });
    expect(run('probe').options.db).toBe('other.db');
    expect(run('--db', 'third.db', 'probe').options.db).toBe('third.db');
    vi.stubEnv('PL_VNM_DB', '');
    expect(run('probe').options.db).toBe(join(home.path, 'vn.db'));
  });

  it('of verbose and quiet the stronger origin wins', () => {
    const file = writeSettings('quiet: true\n');
    const { options, found } = run('-v', 'probe');
    expect(options).toMatchObject({ verbose: true, quiet: false });
    expect(found.quiet).toEqual({ value: false, source: 'file', where: `${file}:1:1, overridden by --verbose` });
    expect(errorOf(() => run('-v', '-q', 'probe'))).toMatchObject({
      code: 'usage',
      message: '--verbose and --quiet exclude each other',
    });
    vi.stubEnv('PL_VNM_VERBOSE', 'true');
    expect(run('probe').options).toMatchObject({ verbose: true, quiet: false });
    vi.stubEnv('PL_VNM_QUIET', 'true');
    expect(errorOf(() => run('probe'))).toMatchObject({
      code: 'usage',
      message: 'PL_VNM_VERBOSE and PL_VNM_QUIET exclude each other',
      hint: 'use one of them',
    });
  });

  it('json of a variable or file is not for commands whose output other programs read', () => {
    writeSettings('json: true\n');
    vi.stubEnv('PL_VNM_JSON', 'true');
    expect(run('probe').options.json).toBe(true);
    expect(run('completion', 'bash').options.json).toBe(false);
    expect(run('--json', 'completion', 'bash').options.json).toBe(true);
  });
});

describe('faults', () => {
  it.each(switchNames)('an invalid value of the variable of %s is named', (name) => {
    const { variable } = settings[name];
    vi.stubEnv(variable, 'maybe');
    expect(errorOf(() => run('probe'))).toMatchObject({
      code: 'usage',
      message: `invalid value of ${variable}: expected true or false, found 'maybe'`,
      hint: 'set it to true or false, or unset it',
    });
    expect(run('completion', 'bash').options[name]).toBe(false);
  });

  const faultsIn = (text: string) => errorOf(() => parseSettings(text, 'config.yaml')).message?.split('\n');

  it('all faults of a file are reported with their positions and hints', () => {
    expect(faultsIn('jsn: true\nwait: maybe\ndb: vn.db\n')).toEqual([
      "config.yaml:1:1: unknown key 'jsn' (did you mean 'json'?)",
      expect.stringMatching(/^config\.yaml:2:7: wait: expected .*, found 'maybe' \(true or false: wait while another /),
      expect.stringMatching(
        /^config\.yaml:3:5: db: 'vn\.db' is no full path \(a full path, or one that begins with ~\//,
      ),
    ]);
    expect(faultsIn('verbose: true\nquiet: true\n')).toEqual([
      "config.yaml:2:1: 'verbose' is true, too (keep one of them)",
    ]);
    expect(faultsIn('json: [\n')).toEqual([expect.stringMatching(/^config\.yaml:\d+:\d+: invalid YAML: /)]);
    expect(faultsIn('- json\n')).toEqual([expect.stringMatching(/^config\.yaml:1:1: expected a map, found a list/)]);
  });

  it('a command reports them, and completion works without the file', () => {
    const file = writeSettings('json: 1\n');
    const error = errorOf(() => run('probe'));
    expect(error.code).toBe('invalid-input');
    expect(error.message).toContain(`${file}:1:7: json: expected `);
    expect(run('completion', 'bash').options.json).toBe(false);
  });

  it('a file that cannot be read is an error, a missing or empty one is not', () => {
    expect(readSettings(settingsFile())).toBeUndefined();
    writeSettings('# nothing yet\n');
    expect(readSettings(settingsFile())).toEqual({});
    expect(errorOf(() => readSettings(home.path))).toMatchObject({
      code: 'invalid-input',
      message: `cannot read the settings file ${home.path}: it is a directory`,
    });
  });
});

it('the example of docs/settings.md has no faults', () => {
  const [example] = examplesOf('docs/settings.md');
  expect(parseSettings(example!.text, 'config.yaml')).toMatchObject({
    wait: { value: true, where: 'config.yaml:3:1' },
  });
});

it('the table of docs/settings.md has every setting', () => {
  const page = textOf('docs/settings.md');
  for (const name of settingNames) expect(page).toContain(`| \`${settings[name].variable}\` | \`${name}\` |`);
});

it('the file is in $XDG_CONFIG_HOME, which must be a full path', () => {
  const usual = join(home.path, '.config/pl-vnm/config.yaml');
  expect(settingsFile()).toBe(usual);
  expect(settingsFile({ XDG_CONFIG_HOME: '/etc/me' })).toBe('/etc/me/pl-vnm/config.yaml');
  for (const wrong of ['', 'me']) expect(settingsFile({ XDG_CONFIG_HOME: wrong })).toBe(usual);
});

describe('the place of the database', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'pl-vnm-place-'));
    mkdirSync(join(directory, 'lab'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const slice = () => join(directory, 'lab/two.yaml');
  const pathFor = (isInstalled: boolean, environment = {}) =>
    databasePlace([slice()], { directory, isInstalled, environment }).path;

  it('a new one is in the state folder for an installed program, in the working directory for a checkout', () => {
    expect(pathFor(false)).toBe(`${directory}/pl-vnm.db`);
    expect(pathFor(true)).toBe(join(home.path, '.local/state/pl-vnm/pl-vnm.db'));
    expect(pathFor(true, { XDG_STATE_HOME: '/var/me' })).toBe('/var/me/pl-vnm/pl-vnm.db');
    expect(pathFor(true, { XDG_STATE_HOME: 'me' })).toBe(join(home.path, '.local/state/pl-vnm/pl-vnm.db'));
  });

  it('one next to the slice file is used, and one in the working directory before it', () => {
    const near = join(directory, 'lab/pl-vnm.db');
    writeFileSync(near, '');
    for (const isInstalled of [true, false]) expect(pathFor(isInstalled)).toBe(near);
    writeFileSync(join(directory, 'pl-vnm.db'), '');
    for (const isInstalled of [true, false]) expect(pathFor(isInstalled)).toBe(`${directory}/pl-vnm.db`);
  });

  it('a command finds it by the slice file among its words', () => {
    const near = join(directory, 'lab/pl-vnm.db');
    writeFileSync(near, '');
    expect(run('probe', slice()).found.db).toMatchObject({ value: near, where: 'it is next to the slice file' });
    expect(run('completion', 'bash', '--', 'status', slice(), '').options.db).toBe(near);
    expect(run('probe', 'two').options.db).toBe('./pl-vnm.db');
  });
});

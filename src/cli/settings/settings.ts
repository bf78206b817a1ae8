/** The settings: the options of all commands, which variables of the environment and a file can also set. */
import { type Command, Option } from 'commander';

interface Setting {
  readonly flags: string;
  readonly description: string;
  /** The variable of the environment that sets it. */
  readonly variable: string;
}

/** Their names are the keys of the file. */
export const settings = {
  db: {
    flags: '--db <file>',
    description: 'the database file',
    variable: 'PL_VNM_DB',
  },
  json: {
    flags: '--json',
    description: 'print one JSON document on stdout and nothing else',
    variable: 'PL_VNM_JSON',
  },
  acceptNewHostKeys: {
    flags: '--accept-new-host-keys',
    description: 'trust and remember the keys of unknown hosts',
    variable: 'PL_VNM_ACCEPT_NEW_HOST_KEYS',
  },
  wait: {
    flags: '--wait',
    description: 'wait while another command works on the same VN or slice',
    variable: 'PL_VNM_WAIT',
  },
  verbose: {
    flags: '-v, --verbose',
    description: 'print on stderr what is sent to which node, and how long it takes',
    variable: 'PL_VNM_VERBOSE',
  },
  quiet: {
    flags: '-q, --quiet',
    description: 'print no progress, only results and errors',
    variable: 'PL_VNM_QUIET',
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;
export const settingNames = Object.keys(settings) as SettingName[];

/** Those that are either on or off. */
export type SwitchName = Exclude<SettingName, 'db'>;
export const switchNames = settingNames.filter((name) => name !== 'db') as SwitchName[];

/** The values of all settings. */
export type GlobalOptions = { readonly db: string } & { readonly [S in SwitchName]: boolean };

/** Two settings that cannot both be on. */
export const exclusive = ['verbose', 'quiet'] as const satisfies readonly SwitchName[];

const helpText = `
Variables (PL_VNM_JSON=true) and the file ~/.config/pl-vnm/config.yaml (json: true) set these options, too, and --no-json
switches one off for a command. 'pl-vnm config' shows all of them.`;

/** Adds the options to the command line. `--no-...` of a switch overrides a variable or the file. */
export function addSettings(program: Command): void {
  for (const name of settingNames) {
    const { flags, description, variable } = settings[name];
    const option = new Option(flags, description);
    if (name === 'db') program.addOption(option.env(variable).default('./pl-vnm.db', placesText));
    else program.addOption(option.default(false));
  }
  for (const name of switchNames) {
    const long = settings[name].flags.replace(/^.*--/, '--no-');
    program.addOption(new Option(long, `not: ${settings[name].description}`).hideHelp());
  }
  program.addHelpText('after', helpText);
}

/** As database-place.ts finds it. */
const placesText =
  './pl-vnm.db, or next to the slice file; an installed program makes a new one in ~/.local/state/pl-vnm';

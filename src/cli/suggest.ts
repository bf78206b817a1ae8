/** Suggests what a user may have meant by an unknown command or option. */
import type { Command } from 'commander';
import { closest, quote } from '../slicefile/words.ts';

const bringUp = "did you mean 'pl-vnm install SLICE', or 'pl-vnm testbed up SLICE.yaml' for nodes on this machine?";
const takeDown = "did you mean 'pl-vnm uninstall SLICE', or 'pl-vnm testbed down' for nodes on this machine?";
const logIn = "did you mean 'pl-vnm shell SLICE NAME'?";

/** Hints for the commands of other network and container tools. */
const elsewhere = new Map(
  Object.entries({
    [bringUp]: 'up deploy start create apply run lstart vstart',
    [takeDown]: 'down destroy stop delete remove rm clean cleanup wipe undeploy teardown lclean vclean',
    [logIn]: 'attach connect login ssh',
    "did you mean 'pl-vnm capture SLICE NAME --link NAME -w FILE.pcapng'?": 'tcpdump dump sniff pcap wireshark',
    "did you mean 'pl-vnm status'?": 'ls list ps inspect info get describe linfo',
    "did you mean 'pl-vnm graph SLICE'?": 'topology draw diagram plot picture',
    "did you mean 'pl-vnm --version'?": 'version',
    "did you mean 'pl-vnm verify SLICE'?": 'test',
    "did you mean 'pl-vnm trace SLICE FROM TO'?": 'traceroute tracepath mtr',
    "did you mean 'pl-vnm validate SLICE.yaml'?": 'check lint',
    "did you mean 'pl-vnm migrate SLICE --to PLACEMENT'?": 'move mv relocate',
    "did you mean 'pl-vnm rollback SLICE'?": 'undo revert abort cancel',
    "did you mean 'pl-vnm resume SLICE'?": 'continue retry',
    "did you mean 'pl-vnm reconcile SLICE'?": 'repair fix heal sync',
    "did you mean 'pl-vnm status SLICE --live'?": 'diff compare',
    "did you mean 'pl-vnm events'?": 'log logs tail watch monitor',
    "did you mean 'pl-vnm history'?": 'migrations',
    "did you mean 'pl-vnm serve'?": 'server service daemon web api',
    "did you mean 'pl-vnm job add'?": 'schedule cron',
  }).flatMap(([hint, words]) => words.split(' ').map((word) => [word, hint] as const)),
);

/** Subcommands of `job`, `agent` and `testbed`, each with its synonyms. */
const elsewhereWithin = Object.entries({
  list: 'ls ps get',
  remove: 'rm delete destroy',
  add: 'create new',
  show: 'inspect info get describe',
  history: 'log logs runs',
  run: 'start exec trigger',
  up: 'start create deploy',
  down: 'stop destroy delete remove rm',
  install: 'add update deploy',
  uninstall: 'remove rm delete',
  pause: 'stop disable suspend',
  resume: 'enable unpause',
  link: 'netem tc impair impairment delay loss',
  links: 'paths latencies',
}).map(([here, words]) => [here, words.split(' ')] as const);

/** Hints for the options of other tools. */
const optionsElsewhere = new Map([
  ...['-t', '--topo', '--topology', '-f', '--file', '-d', '--name'].map(
    (name) => [name, 'give the slice file, or the name of the slice, without an option'] as const,
  ),
  ...['--format', '-o', '--output', '-j'].map((name) => [name, "did you mean '--json'?"] as const),
  ...['--debug', '--log-level', '--trace'].map((name) => [name, "did you mean '--verbose'?"] as const),
  ...['--silent', '-s'].map((name) => [name, "did you mean '--quiet'?"] as const),
  ...['-V', '-version'].map((name) => [name, "did you mean '--version'?"] as const),
  ...['--database'].map((name) => [name, "did you mean '--db'?"] as const),
  ['--dry-run', "did you mean 'pl-vnm plan' or 'pl-vnm reconcile --dry-run'?"] as const,
]);

/** The hint for a command that `parent` does not have. */
function hintOnCommand(parent: Command, name: string): string {
  const path = pathOf(parent);
  const names = parent.commands.map((command) => command.name());
  const known = parent.parent === null ? elsewhere.get(name) : undefined;
  if (known !== undefined) return known;
  const near = (parent.parent === null ? undefined : withinOf(name, names)) ?? closest(name, [...names, 'help']);
  return near === undefined ? `run '${path} --help' to list the commands` : `did you mean '${path} ${near}'?`;
}

/** The hint for an option that `command` does not have. */
function hintOnOption(command: Command, flag: string): string {
  const known = optionsElsewhere.get(flag);
  if (known !== undefined) return known;
  const options = [command, ...ancestorsOf(command)].flatMap((one) => one.options);
  const near = flag.startsWith('--')
    ? closest(flag, [...options.flatMap(({ long }) => long ?? []), '--help'])
    : undefined;
  return near === undefined ? `run '${pathOf(command)} --help' to list the options` : `did you mean '${near}'?`;
}

/** An error on the command line, and what to do. */
export interface Suggestion {
  readonly message: string;
  readonly hint: string;
}

/**
 * Makes an unknown command or option print one line. Any other error on the command line still prints the command's
 * help. Returns a function that returns what was printed as one line.
 */
export function suggestOnErrors(program: Command): () => Suggestion | undefined {
  let suggestion: Suggestion | undefined;
  for (const command of descendantsOf(program)) {
    command.showSuggestionAfterError(false).configureOutput({
      outputError: (text, write) => {
        const found = suggestionFor(command, text);
        write(found === undefined ? text : `error: ${found.message}; ${found.hint}\n`);
        suggestion = found;
      },
      // Commander would print the whole help after the line.
      writeErr: (text) => {
        if (suggestion === undefined) process.stderr.write(text);
      },
    });
  }
  return () => suggestion;
}

function suggestionFor(command: Command, text: string): Suggestion | undefined {
  const [, kind, name = ''] = /^error: unknown (command|option) '(.*)'$/s.exec(text.trimEnd()) ?? [];
  if (kind === undefined) return undefined;
  // Commander checks the options of an unknown command before the command itself.
  const [first] = command.args;
  const unknown = kind === 'command' || first === undefined || first.startsWith('-') ? undefined : first;
  if (kind === 'command' || (command.commands.length > 0 && unknown !== undefined)) {
    const wrong = unknown ?? name;
    return { message: `unknown command ${quote(wrong)}`, hint: hintOnCommand(command, wrong) };
  }
  return { message: `unknown option ${quote(name)}`, hint: hintOnOption(command, name) };
}

function withinOf(name: string, names: readonly string[]): string | undefined {
  return elsewhereWithin.find(([here, words]) => words.includes(name) && names.includes(here))?.[0];
}

function pathOf(command: Command): string {
  return [...ancestorsOf(command).reverse(), command].map((one) => one.name()).join(' ');
}

function ancestorsOf(command: Command): Command[] {
  return command.parent === null ? [] : [command.parent, ...ancestorsOf(command.parent)];
}

function descendantsOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(descendantsOf)];
}

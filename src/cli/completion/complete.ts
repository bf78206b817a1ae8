/** Completes a command line by the definition of the commands, for the scripts in `scripts.ts`. */
import type { Argument, Command, Option } from 'commander';

/** A word that may come next. */
interface Candidate {
  readonly word: string;
  readonly description: string;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** Which files may come next, too; the shell lists them. */
  readonly files: 'none' | 'any' | 'yaml';
}

/** Names that may be values. Each returns nothing rather than fail: a shell shows no errors while somebody types. */
export interface Names {
  slices(): readonly string[];
  jobs(): readonly string[];
  /** Of a slice, by its name or file; undefined: of all slices in the database. */
  of(slice: string | undefined, kind: NameKind): readonly string[];
}

export type NameKind = 'placements' | 'vns' | 'routers' | 'nodes' | 'places';

const none: Completion = { candidates: [], files: 'none' };

/**
 * Completes the last of the words that follow the program's name; it may be empty. `shell` decides how a value after
 * `--option=` is returned: bash replaces only what follows the equals sign.
 */
export function complete(program: Command, split: readonly string[], names: Names, shell: string): Completion {
  const words = joined(split);
  const current = words.at(-1) ?? '';
  const line = readLine(program, words.slice(0, -1));
  const mayEnd = line.waiting?.variadic === true && current.startsWith('-');
  if (line.waiting !== undefined && !mayEnd) {
    return matching(valuesOf(line, line.waiting.attributeName(), line.waiting, names), current);
  }
  const [, long, value] = /^(--[\w-]+)=(.*)$/s.exec(current) ?? [];
  const option =
    long === undefined || line.isEnded ? undefined : optionsOf(line.command).find((one) => one.long === long);
  if (option !== undefined && value !== undefined) {
    const { candidates, files } = matching(valuesOf(line, option.attributeName(), option, names), value);
    const prefix = shell === 'bash' ? '' : `${long}=`;
    return {
      candidates: candidates.map(({ word, description }) => ({ word: `${prefix}${word}`, description })),
      files,
    };
  }
  if (current.startsWith('-') && !line.isEnded) return matching({ candidates: flagsOf(line), files: 'none' }, current);
  return matching(operandsOf(line, names), current);
}

/** What the words before the last one mean. */
interface Line {
  readonly command: Command;
  readonly operands: readonly string[];
  readonly given: ReadonlySet<Option>;
  /** The option whose value comes next. */
  readonly waiting?: Option;
  /** Whether `--` was there: what follows is no option. */
  readonly isEnded: boolean;
}

function readLine(program: Command, words: readonly string[]): Line {
  let command = program;
  let operands: string[] = [];
  let isEnded = false;
  let waiting: Option | undefined;
  const given = new Set<Option>();
  for (const word of words) {
    const isFlag = word.startsWith('-') && word.length > 1 && !isEnded;
    if (waiting !== undefined && !isFlag) {
      if (!waiting.variadic) waiting = undefined;
    } else if (word === '--' && !isEnded) {
      [isEnded, waiting] = [true, undefined];
    } else if (isFlag) {
      const [flag, value] = word.split('=', 2);
      const option = optionsOf(command).find(({ short, long }) => short === flag || long === flag);
      if (option !== undefined) given.add(option);
      waiting = value === undefined && option?.required === true ? option : undefined;
    } else {
      const next = operands.length === 0 ? subcommands(command).find((one) => one.name() === word) : undefined;
      if (next === undefined) operands.push(word);
      else [command, operands] = [next, []];
    }
  }
  return { command, operands, given, isEnded, ...(waiting === undefined ? {} : { waiting }) };
}

/** Joins what bash splits at equals signs. */
function joined(words: readonly string[]): string[] {
  const found: string[] = [];
  words.forEach((word, index) => {
    const previous = words[index - 1];
    if (index > 0 && (word === '=' || previous === '=') && found.length > 0) found.push(`${found.pop()}${word}`);
    else found.push(word);
  });
  return found;
}

function subcommands(command: Command): Command[] {
  return command.createHelp().visibleCommands(command);
}

/** The options of a command, and of the program, which may come anywhere. */
function optionsOf(command: Command): Option[] {
  const own = command.createHelp().visibleOptions(command);
  return command.parent === null ? own : [...own, ...optionsOf(command.parent)];
}

function flagsOf({ command, given }: Line): Candidate[] {
  const seen = new Set<string>();
  return optionsOf(command)
    .filter((option) => !given.has(option) || option.variadic)
    .flatMap(({ short, long, description }) =>
      [long, short].flatMap((word) => (word === undefined ? [] : [{ word, description }])),
    )
    .filter(({ word }) => !seen.has(word) && seen.add(word));
}

function operandsOf(line: Line, names: Names): Completion {
  const { command, operands } = line;
  const below = subcommands(command);
  if (below.length > 0 && operands.length === 0) {
    return { candidates: below.map((one) => ({ word: one.name(), description: one.description() })), files: 'none' };
  }
  const { registeredArguments: known } = command;
  const last = known.at(-1);
  const argument = known[operands.length] ?? (last?.variadic === true ? last : undefined);
  return argument === undefined ? none : valuesOf(line, argument.name(), argument, names);
}

/** The values of an option or argument: its choices, or by what its name says. */
function valuesOf(line: Line, name: string, { argChoices }: Option | Argument, names: Names): Completion {
  if (argChoices !== undefined) return wordsOf(argChoices);
  const slice = sliceOn(line);
  const kind = `${line.command.name()} ${name}`;
  if (/^(exec|shell|capture) (name|link)$|^(ping|trace) (from|to)$/.test(kind))
    return wordsOf(names.of(slice, 'places'));
  if (/ (placement|to|from)$/.test(kind)) return wordsOf(names.of(slice, 'placements'));
  if (/ vn$/.test(kind)) return wordsOf(names.of(slice, 'vns'));
  if (/ nodes?$|^link (a|b)$/.test(kind)) return wordsOf(names.of(slice, 'nodes'));
  if (/ router$/.test(kind)) return wordsOf(names.of(slice, 'routers'));
  if (/ slice$/.test(kind)) return { ...wordsOf(names.slices()), files: 'yaml' };
  if (/ (slice\.yaml|file\.yaml|update|where)$/.test(kind)) return { candidates: [], files: 'yaml' };
  if (/^(show|pause|resume|run|remove|history) name$/.test(kind)) return wordsOf(names.jobs());
  if (/ (file|db|output|write|tokenFile|adminKey|command)$/.test(kind)) return { candidates: [], files: 'any' };
  return none;
}

/** The slice that the line is about, as far as it says one. */
function sliceOn({ command, operands }: Line): string | undefined {
  const index = command.registeredArguments.findIndex((argument) =>
    /^(slice|slice\.yaml|where)$/.test(argument.name()),
  );
  return index < 0 ? undefined : operands[index];
}

function wordsOf(words: readonly string[]): Completion {
  return { candidates: [...new Set(words)].map((word) => ({ word, description: '' })), files: 'none' };
}

function matching({ candidates, files }: Completion, begin: string): Completion {
  return { candidates: candidates.filter(({ word }) => word.startsWith(begin)), files };
}

/** One candidate per line, with its description after a tab; the last line says which files may come next. */
export function completionLines({ candidates, files }: Completion): string {
  const lines = candidates.map(({ word, description }) => {
    return description === '' ? word : `${word}\t${description.replaceAll(/\s+/g, ' ')}`;
  });
  return [...lines, `:${files}`].join('\n');
}

/** The arguments of `ssh` in other tools' files that say which way a node is reached. */
import { endpointText, type JumpHost, splitJumpHost } from '../../model/ssh-way.ts';
import type { ImportedNode } from '../imported.ts';
import { present } from './format.ts';

type Login = Pick<ImportedNode, 'user' | 'port' | 'key'>;
type Way = Login & Pick<ImportedNode, 'config' | 'jump'>;

interface Found {
  readonly way: Way;
  readonly operands: readonly string[];
  /** The address of `-W`. */
  readonly forward?: string;
  /** What has no place in a slice file. */
  readonly unused: readonly string[];
}

/** The options of `ssh` that have a value. */
const withValue = 'BbcDEeFIiJLlmOopPQRSWw';
/** Options that say nothing about the way: what is printed, and terminals. */
const silent = new Set(['-q', '-v', '-T', '-t', '-n', '-N', '-x']);
/** Options that are short for a keyword of configurations. */
const keywords: Readonly<Record<string, string>> = { i: 'identityfile', J: 'proxyjump', l: 'user', p: 'port' };

/**
 * The login, a configuration file (`-F`), and the servers to pass (`-J`, `ProxyJump`, `ProxyCommand` with `ssh -W`) in
 * arguments of `ssh`, or in a command that begins with `ssh`; `unused` has what else is there. As with `ssh`, what
 * comes first wins, and `own`, which the file says elsewhere, comes before all.
 */
export function sshArguments(text: string, own: Login = {}): Way & { readonly unused: readonly string[] } {
  const words = wordsOf(text);
  const isCommand = words[0] === 'ssh';
  const { way, operands, forward, unused } = read(isCommand ? words.slice(1) : words, own);
  const others = forward === undefined ? unused : [...unused, `-W ${forward}`];
  // The first operand of a command is the node itself.
  return { ...way, unused: [...others, ...operands.slice(isCommand ? 1 : 0)] };
}

function read(words: readonly string[], own: Login): Found {
  const way: { -readonly [K in keyof Way]: Way[K] } = { ...own };
  const operands: string[] = [];
  const unused: string[] = [];
  let forward: string | undefined;
  /** Whether the value has a place, and no other has it already. */
  const set = <K extends keyof Way>(key: K, value: Way[K]): boolean => {
    way[key] ??= value;
    return way[key] === value;
  };
  const setKeyword = (keyword: string, value: string): boolean => {
    if (value === '' || value === 'none') return false;
    if (keyword === 'identityfile') return set('key', value);
    if (keyword === 'user') return set('user', value);
    if (keyword === 'port')
      return /^[1-9]\d{0,4}$/.test(value) && Number(value) <= 65_535 && set('port', Number(value));
    if (keyword === 'proxyjump') return set('jump', value.split(','));
    if (keyword !== 'proxycommand') return false;
    const command = jumpsOfCommand(value);
    if (command === undefined || !set('jump', command.jump)) return false;
    unused.push(...command.unused.map((word) => `${word} in ProxyCommand`));
    return true;
  };
  for (const [option, value] of optionsOf(words)) {
    const [, keyword = '', setting = ''] = /^\s*(\w+)(?:\s*=\s*|\s+)(.*)$/s.exec(value) ?? [];
    if (option === '') operands.push(value);
    else if (option === 'W') forward = value;
    else if (option === 'F' && set('config', value)) continue;
    else if (option === 'o' && setKeyword(keyword.toLowerCase(), setting.replace(/^"(.*)"$/s, '$1'))) continue;
    else if (option in keywords && setKeyword(keywords[option]!, value)) continue;
    else if (!silent.has(`-${option}`)) unused.push(`-${option}${value === '' ? '' : ` ${value}`}`);
  }
  return { way, operands, unused, ...present({ forward }) };
}

/** The servers that `ssh [OPTIONS] -W %h:%p [USER@]HOST` passes; undefined for any other command. */
function jumpsOfCommand(command: string): { jump: (string | JumpHost)[]; unused: readonly string[] } | undefined {
  const [program, ...words] = wordsOf(command);
  if (program !== 'ssh') return undefined;
  const { way, operands, forward = '', unused } = read(words, {});
  const [destination, ...others] = operands;
  if (destination === undefined || !/^(%h|\[%h\]):%p$/.test(forward)) return undefined;
  const { jump = [], config, ...login } = way;
  const ofConfig = config === undefined ? [] : [`-F ${config}`];
  return { jump: [...jump, jumpHost(destination, login)], unused: [...ofConfig, ...unused, ...others] };
}

/** A server as text, or as a map if it has a key. */
function jumpHost(destination: string, login: Login): string | JumpHost {
  const parts = splitJumpHost(destination);
  if (parts === undefined) return destination;
  const { host, port, user, key } = { ...parts, ...login };
  if (key !== undefined) return { host, ...present({ port, user }), key };
  return `${user === undefined ? '' : `${user}@`}${port === undefined ? host : endpointText(host, port)}`;
}

/** The options with their values, as `getopt` reads them; operands have no letter. */
function optionsOf(words: readonly string[]): [letter: string, value: string][] {
  const found: [string, string][] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index]!;
    if (!/^-[A-Za-z\d]/.test(word)) {
      if (word !== '--') found.push(['', word]);
      continue;
    }
    const at = [...word].findIndex((letter, place) => place > 0 && withValue.includes(letter));
    for (const letter of word.slice(1, at < 0 ? undefined : at)) found.push([letter, '']);
    if (at < 0) continue;
    const rest = word.slice(at + 1);
    if (rest === '') index += 1;
    found.push([word[at]!, rest === '' ? (words[index] ?? '') : rest]);
  }
  return found;
}

/** The words of a command line, without quotes and backslashes, as a shell has them. */
function wordsOf(text: string): string[] {
  const words = text.match(/(?:[^\s'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*"|['"\\])+/gs) ?? [];
  return words.map((word) =>
    word.replace(
      /\\(.)|'([^']*)'|"((?:[^"\\]|\\.)*)"/gs,
      (_, escaped?: string, single?: string, double?: string) =>
        escaped ?? single ?? double!.replace(/\\(["\\$`])/g, '$1'),
    ),
  );
}

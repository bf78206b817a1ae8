/** Asks the program `ssh` what the user's SSH configuration means for a host. Nothing here parses configurations. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { homedir, hostname, type UserInfo, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { canonicalName } from '../model/address.ts';
import { commandPath } from '../model/command-path.ts';
import { VnmError } from '../model/errors.ts';
import { noWay } from '../model/ssh-way.ts';
import { inTurn } from './login-turns.ts';
import { newPrivatePath } from './openssh/folder.ts';

/** What to ask about. What is present wins over the configuration, as on the command line of `ssh`. */
interface Question {
  /** Must not be a path or contain blanks; one that begins with `-` is no option. */
  readonly host: string;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  /** The login where neither `user` nor the configuration names one. */
  readonly defaultUser: string;
  /** As in `SshWay`. */
  readonly config?: string | undefined;
}

/** The answer; paths are expanded. */
export interface SshSettings {
  readonly hostName: string;
  readonly port: number;
  readonly user: string;
  /** Absent if they are the usual ones. */
  readonly identityFiles?: readonly string[];
  readonly identitiesOnly: boolean;
  /** null: none; absent: SSH_AUTH_SOCK. */
  readonly identityAgent?: string | null;
  readonly certificateFiles: readonly string[];
  /** Absent if they are the usual ones; without `/dev/null` and `none`. */
  readonly userKnownHosts?: readonly string[];
  readonly globalKnownHosts?: readonly string[];
  readonly hostKeyAlias?: string;
  readonly family?: 4 | 6;
  /** As written: servers separated by commas. */
  readonly proxyJump?: string;
  readonly proxyCommand?: string;
  /** Why the configuration was not asked, although there is one. */
  readonly unread?: string;
}

const run = promisify(execFile);

/** A configuration may run programs (`Match exec`), and a name server may be slow. */
const limitMs = 30_000;

/** A service lives for long, and the user may change the configuration. */
const keepMs = 600_000;
const answers = new Map<string, { readonly atMs: number; readonly answer: Promise<SshSettings> }>();

/**
 * Returns what the configuration says, asked once per question. Throws VnmError `unreachable` if `ssh` reports a fault
 * in it, or gives no answer.
 */
export function sshSettings(question: Question): Promise<SshSettings> {
  const key = JSON.stringify(
    ['host', 'port', 'user', 'defaultUser', 'config'].map((name) => question[name as keyof Question]),
  );
  const known = answers.get(key);
  if (known !== undefined && performance.now() - known.atMs < keepMs) return known.answer;
  const answer = ask(question);
  answers.set(key, { atMs: performance.now(), answer });
  // The user may repair the configuration.
  answer.catch(() => answers.delete(key));
  return answer;
}

async function ask(question: Question): Promise<SshSettings> {
  const { host, port, user, defaultUser, config } = question;
  const usual = {
    hostName: canonicalName(host),
    port: port ?? 22,
    user: user ?? defaultUser,
    identitiesOnly: false,
    certificateFiles: [],
  };
  if (config === noWay) return usual;
  const program = commandPath('ssh');
  const account = localAccount();
  if (program === undefined || account === undefined) {
    const file = config ?? join(homedir(), '.ssh', 'config');
    const why = program === undefined ? "there is no program 'ssh'" : "the program 'ssh' needs a user with a name";
    return existsSync(expandHome(file)) ? { ...usual, unread: `${file} was not read: ${why}` } : usual;
  }
  const said = await inTurn('ssh -G', undefined, () => callProgram(program, question));
  const settings = parseSettings(said, question);
  // The program fills in the local user, whether or not the configuration names one.
  const isClear = user !== undefined || settings.user !== account.username || defaultUser === account.username;
  if (isClear) return settings;
  return parseSettings(await withDefaultUser(program, question), question);
}

async function callProgram(program: string, { host, port, user, config }: Question): Promise<string> {
  const words = [
    ...['-G', '-T'],
    ...(config === undefined ? [] : ['-F', expandHome(config)]),
    ...(user === undefined ? [] : ['-l', user]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    ...['--', host],
  ];
  try {
    return (await run(program, words, { timeout: limitMs, maxBuffer: 1024 * 1024 })).stdout;
  } catch (error) {
    const { stderr = '', killed } = error as { stderr?: string; killed?: boolean };
    const said = stderr
      .trim()
      .replaceAll(/\s*\n\s*/g, '; ')
      .slice(0, 500);
    const why = killed === true ? `it did not answer within ${limitMs / 1000} s` : said || String(error);
    throw new VnmError('unreachable', `the SSH configuration for '${host}' cannot be read (ssh -G): ${why}`, {
      hint: "repair it, or do without it: 'ssh: { config: none }' in the slice file",
      cause: error,
    });
  }
}

/** Asks with a configuration that names the default user after all others have had their say. */
async function withDefaultUser(program: string, question: Question): Promise<string> {
  const { config, defaultUser } = question;
  const files = config === undefined ? ['~/.ssh/config', '/etc/ssh/ssh_config'] : [resolve(expandHome(config))];
  const file = `${newPrivatePath()}.config`;
  try {
    const lines = [...files.map((name) => `Include "${name}"`), 'Match all', `User ${defaultUser}`, ''];
    await writeFile(file, lines.join('\n'), { mode: 0o600 });
    return await callProgram(program, { ...question, config: file });
  } finally {
    await rm(file, { force: true });
  }
}

/** Parses the output of `ssh -G`: a keyword and its value per line. */
export function parseSettings(text: string, question: Question): SshSettings {
  const lines = [...text.matchAll(/^(\w+) (.*?)\r?$/gm)].map(([, key, value]) => ({ key: key!, value: value! }));
  const all = (key: string) => lines.filter((line) => line.key === key).map((line) => line.value);
  const one = (key: string) => all(key).find((value) => value !== noWay && value !== '');
  const hostName = one('hostname') ?? canonicalName(question.host);
  const port = Number(one('port') ?? question.port ?? 22);
  const user = one('user') ?? question.user ?? question.defaultUser;
  const hostKeyAlias = one('hostkeyalias');
  const proxyJump = one('proxyjump');
  const proxyCommand = one('proxycommand');
  const path = expander({ hostName, port, user, host: question.host, proxyJump, hostKeyAlias });
  const identityFiles = all('identityfile').filter((file) => file !== noWay);
  const [agent] = all('identityagent');
  const family = ({ inet: 4, inet6: 6 } as const)[one('addressfamily') as 'inet' | 'inet6'];
  const userKnownHosts = knownHosts(all('userknownhostsfile'), path);
  const globalKnownHosts = knownHosts(all('globalknownhostsfile'), path);
  const home = localAccount()?.homedir ?? homedir();
  const usualHosts = ['known_hosts', 'known_hosts2'].map((name) => join(home, '.ssh', name));
  return {
    hostName,
    port,
    user,
    ...(identityFiles.every((file) => usualIdentity.test(file)) ? {} : { identityFiles: identityFiles.map(path) }),
    identitiesOnly: one('identitiesonly') === 'yes',
    ...(agent === undefined || agent === 'SSH_AUTH_SOCK'
      ? {}
      : { identityAgent: agent === noWay ? null : path(agent) }),
    certificateFiles: all('certificatefile')
      .filter((file) => file !== noWay)
      .map(path),
    ...(userKnownHosts === undefined ||
    (userKnownHosts.every((file) => usualHosts.includes(file)) && userKnownHosts.length > 0)
      ? {}
      : { userKnownHosts }),
    ...(globalKnownHosts === undefined ? {} : { globalKnownHosts }),
    ...(hostKeyAlias === undefined ? {} : { hostKeyAlias }),
    ...(family === undefined ? {} : { family }),
    ...(proxyJump === undefined ? {} : { proxyJump }),
    ...(proxyCommand === undefined ? {} : { proxyCommand }),
  };
}

const usualIdentity = /^(~|.*)\/\.ssh\/id_(rsa|dsa|ecdsa|ecdsa_sk|ed25519|ed25519_sk|xmss|mldsa\w*)$/;

/** Undefined if the program does not say; paths may contain blanks, and are not quoted by all versions. */
function knownHosts(values: readonly string[], path: (text: string) => string): string[] | undefined {
  if (values.length === 0) return undefined;
  return values
    .flatMap((value) => value.split(/\s+(?=["~/%$]|none$)/))
    .map((file) => path(file.replace(/^"(.*)"$/, '$1')))
    .filter((file) => file !== noWay && file !== '/dev/null');
}

interface Tokens {
  readonly host: string;
  readonly hostName: string;
  readonly port: number;
  readonly user: string;
  readonly proxyJump: string | undefined;
  readonly hostKeyAlias: string | undefined;
}

/** Expands what `ssh -G` leaves as it is written (ssh_config(5), TOKENS and ENVIRONMENT VARIABLES). */
function expander({ host, hostName, port, user, proxyJump = '', hostKeyAlias }: Tokens): (text: string) => string {
  const local = hostname();
  const { username = '', uid = 0 } = localAccount() ?? {};
  const digest = () => createHash('sha1').update(`${local}${hostName}${port}${user}${proxyJump}`).digest('hex');
  const tokens: Record<string, () => string> = {
    '%': () => '%',
    C: digest,
    d: homedir,
    h: () => hostName,
    i: () => String(uid),
    j: () => proxyJump,
    k: () => hostKeyAlias ?? host,
    L: () => local.split('.')[0]!,
    l: () => local,
    n: () => host,
    p: () => String(port),
    r: () => user,
    u: () => username,
  };
  return (text) =>
    expandHome(
      text
        .replaceAll(/%(.)/g, (whole, letter: string) => tokens[letter]?.() ?? whole)
        .replaceAll(/\$\{(\w+)\}/g, (_, name: string) => process.env[name] ?? '')
        .replace(/^\$(\w+)$/, (_, name: string) => process.env[name] ?? ''),
    );
}

/** Undefined for a user without an entry in the system's list, as in some containers. */
export function localAccount(): UserInfo<string> | undefined {
  try {
    return userInfo();
  } catch {
    return undefined;
  }
}

/** Returns the path with `~/` at its begin replaced by the home. */
export function expandHome(path: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
}

/** Finds out in one round trip what is on a node before the agent runs there. */
import { VnmError } from '../model/errors.ts';
import { nameOf } from './ssh-errors.ts';
import type { SshSession } from './ssh-session.ts';

export interface NodeSurvey {
  /**
   * How the login becomes root: it is root; with `sudo -n`; only to attach, with the rule of `agent install`; not at
   * all.
   */
  readonly root: 'login' | 'sudo' | 'rule' | 'none' | 'unneeded';
  /** The login's PL_VNM_DIR, where it applies. */
  readonly directory?: string;
  /** Directory of the agent's code. */
  readonly lib: string;
  /** Directory of the policies, one file per slice. */
  readonly policyDirectory: string;
  /** The output of `uname -s -m`, like `Linux x86_64`. */
  readonly system: string;
  /** Path of a Node.js that is recent enough for the agent. */
  readonly runtime?: string;
  /** Versions of runtimes that are too old. */
  readonly oldRuntimes: readonly string[];
  readonly hasAgent: boolean;
  /** Whether the slice's agent has a socket: it runs, or has been killed. */
  readonly hasSocket: boolean;
  /** With root `rule`: digest of the installed agent. */
  readonly installed?: string;
  readonly hasGzip: boolean;
  /** With root `none`: what sudo said. */
  readonly refusal?: string;
}

/** The oldest Node.js that runs the agent. */
export const oldestRuntime = 20;

/**
 * Constant, given to `sh` as its standard input. The arguments are the slice's name and the agent's digest. Nothing it
 * runs may read that input. With `sudo` PL_VNM_DIR does not apply, because sudo would not pass it on. For a login that
 * has only a rule it says where to look for the command, and sudo decides whether the login may run that.
 */
const script = `
# The output of a login's shell may lack its last newline.
echo
slice=$1 digest=$2 needs=$3
say() { printf 'pl-vnm %s %s\\n' "$1" "$2"; }
may() { sudo -n -l "$1" </dev/null >/dev/null 2>&1; }
uid=$(id -u)
lib=/usr/local/lib/pl-vnm policy=/etc/pl-vnm/policy run=/run/pl-vnm root=none rule=no
attach=\${PL_VNM_DIR:+$PL_VNM_DIR/lib}
attach=\${attach:-$lib}/attach-$slice
if [ "$needs" = root ] && [ "$uid" != 0 ] && [ -f "$attach" ] && may "$attach"; then rule=yes; fi
# sudo logs, and may mail, commands that it refuses to run, but not questions about them.
if [ "$needs" = any ]; then
  root=unneeded
  PL_VNM_DIR=\${PL_VNM_DIR:-$HOME/.pl-vnm}
elif [ "$uid" = 0 ]; then
  root=login
elif { [ $rule = no ] || may true; } && refusal=$(LC_ALL=C sudo -n true </dev/null 2>&1 >/dev/null); then
  root=sudo
elif [ $rule = yes ]; then
  root=rule
fi
if [ "$root" != sudo ] && [ -n "$PL_VNM_DIR" ]; then
  lib=$PL_VNM_DIR/lib policy=$PL_VNM_DIR/policy run=$PL_VNM_DIR/run
  say directory "$PL_VNM_DIR"
fi
if [ "$root" = rule ]; then
  while read -r line; do
    case $line in *agent-*.mjs*) line=\${line##*agent-}; say installed "\${line%%.mjs*}";; esac
  done <"$attach"
fi
if [ "$root" = none ]; then
  printf '%s\\n' "$refusal" | while read -r line; do say refusal "$line"; done
fi
say root "$root"
say lib "$lib"
say policyDirectory "$policy"
say system "$(uname -s -m)"
for node in "$(command -v node)" "$lib/node"; do
  if [ -x "$node" ]; then say runtime "$("$node" --version </dev/null 2>/dev/null) $node"; fi
done
if [ -f "$lib/agent-$digest.mjs" ]; then say has agent; fi
if [ -S "$run/$slice.sock" ]; then say has socket; fi
if command -v gzip >/dev/null; then say has gzip; fi
say done survey
`;

/**
 * `slice` and `digest` must have passed their patterns. Throws as `SshSession.exec`, and `failed` when no shell
 * answers.
 */
export async function surveyNode(
  session: SshSession,
  slice: string,
  digest: string,
  signal: AbortSignal | undefined,
  { needsRoot = true }: { needsRoot?: boolean } = {},
): Promise<NodeSurvey> {
  const { stdout, stderr, code } = await session.exec(`sh -s -- ${slice} ${digest} ${needsRoot ? 'root' : 'any'}`, {
    stdin: Buffer.from(script),
    what: 'the survey',
    signal,
  });
  const survey = parseSurvey(stdout.toString());
  if (survey !== undefined) return survey;
  const words = [stderr, stdout.toString()].map((text) => text.trim()).find((text) => text !== '') ?? '';
  const said = words === '' ? '' : `: ${words.slice(-1000)}`;
  const how = code === null ? 'no exit code' : `exit code ${code}`;
  const kind = code === null ? 'unreachable' : 'failed';
  throw new VnmError(kind, `the survey on ${nameOf(session.target)} failed (${how})${said}`, {
    hint: shellHint(words),
  });
}

/** Returns what to do about a login that runs no commands. */
function shellHint(said: string): string {
  if (/password (has )?expired|password change required|change your password/i.test(said)) {
    return 'log in once with ssh and change the password';
  }
  if (/account (has )?expired|account is (currently )?not available|nologin/i.test(said)) {
    return "the login may not run commands: have the node's administrator give it a shell (chsh), or name another user";
  }
  if (/sftp/i.test(said)) return 'the login is for file transfer only (ForceCommand internal-sftp): name another user';
  return 'give the login a shell that runs commands (no ForceCommand, no menu), and a POSIX sh';
}

/** Returns why a login cannot become root, and what to do, from what sudo said. */
export function rootHint({ refusal = '' }: NodeSurvey, user: string): string {
  const otherwise = `or have the administrator of the node run: pl-vnm agent install`;
  const rule = `sudo visudo -f /etc/sudoers.d/pl-vnm`;
  if (/tty/i.test(refusal)) {
    return `sudo says '${refusal}': add 'Defaults:${user} !requiretty' there (${rule}), ${otherwise}`;
  }
  if (/password|authentication/i.test(refusal)) {
    return `sudo says '${refusal}': add '${user} ALL=(root) NOPASSWD: ALL' there (${rule}), ${otherwise}`;
  }
  if (/not found/.test(refusal))
    return 'there is no sudo: have the administrator of the node install it and run: pl-vnm agent install';
  const said = refusal === '' ? '' : `sudo says '${refusal}'; `;
  return `${said}have the administrator of the node run: pl-vnm agent install`;
}

/** Returns undefined when the answer is incomplete. Output of a login script around the answer does not matter. */
export function parseSurvey(text: string): NodeSurvey | undefined {
  const lines = [...text.matchAll(/^pl-vnm (\w+) (.*)$/gm)].map(([, key, value]) => ({ key: key!, value: value! }));
  const all = (key: string) => lines.filter((line) => line.key === key).map((line) => line.value);
  const [root] = all('root');
  const [lib] = all('lib');
  const [policyDirectory] = all('policyDirectory');
  const [system] = all('system');
  const [directory] = all('directory');
  const [installed] = all('installed');
  if (!isRoot(root)) return undefined;
  if (root === 'unneeded' && !isPlainPath(directory)) return undefined;
  if (!isPlainPath(lib) || !isPlainPath(policyDirectory) || system === undefined || !all('done').includes('survey')) {
    return undefined;
  }
  const runtimes = all('runtime').flatMap(parseRuntime);
  const recent = runtimes.find(({ major }) => major >= oldestRuntime);
  const has = all('has');
  const refusal = all('refusal').join(' ').trim().slice(0, 300);
  return {
    root,
    ...(isPlainPath(directory) ? { directory } : {}),
    lib,
    policyDirectory,
    system,
    ...(recent === undefined ? {} : { runtime: recent.path }),
    oldRuntimes: runtimes.filter(({ major }) => major < oldestRuntime).map(({ version }) => version),
    hasAgent: has.includes('agent'),
    hasSocket: has.includes('socket'),
    ...(installed === undefined ? {} : { installed }),
    hasGzip: has.includes('gzip'),
    ...(refusal === '' ? {} : { refusal }),
  };
}

const roots = ['login', 'sudo', 'rule', 'none', 'unneeded'] as const satisfies readonly NodeSurvey['root'][];

function isRoot(text: string | undefined): text is NodeSurvey['root'] {
  return roots.some((root) => root === text);
}

/** Parses `v20.1.2 /usr/bin/node`. */
export function parseRuntime(text: string): { major: number; version: string; path: string }[] {
  const match = /^v((\d+)\.\d+\.\d+\S*) (.+)$/.exec(text);
  if (match === null || !isPlainPath(match[3])) return [];
  return [{ version: match[1]!, major: Number(match[2]), path: match[3]! }];
}

/** Whether a path can go into commands for the login's shell: it contains nothing that any shell would interpret. */
export function isPlainPath(path: string | undefined): path is string {
  return path !== undefined && /^(\/[A-Za-z0-9_.+@%-]+)+$/.test(path);
}

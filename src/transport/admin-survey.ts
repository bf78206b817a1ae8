/** What an administrator's login finds on a node before the agent is installed there or removed. */
import { VnmError } from '../model/errors.ts';
import { type Policy, policySchema } from '../vsys/policy.ts';
import { rulePath } from '../vsys/sudo-rule.ts';
import { asRoot } from './delivery.ts';
import { attachCommand } from './installed-files.ts';
import { type NodeSurvey, oldestRuntime, parseRuntime } from './node-survey.ts';
import { nameOf } from './ssh-errors.ts';
import type { SshSession } from './ssh-session.ts';

export interface AdminSurvey {
  /** Uid of the slice's login; absent where the node has no such login. */
  readonly uid?: number;
  /** Required programs that are missing. */
  readonly lacks: readonly string[];
  /** Directories that users other than root can write to, or that do not belong to root. */
  readonly unsafe: readonly string[];
  /** Path of a Node.js that is recent enough and that only root can change. */
  readonly runtime?: string;
  /** Versions of runtimes that are too old. */
  readonly oldRuntimes: readonly string[];
  /** Policies of all slices on the node; faulty ones are left out. */
  readonly policies: readonly Policy[];
  /** Texts of the slice's command and rule, where they exist. */
  readonly command?: string;
  readonly rule?: string;
  /** Whether an agent of the slice has been running. */
  readonly hasSocket: boolean;
}

/** Constant, given to `sh` as its standard input. Nothing it runs may read that input. */
const script = `
echo
lib=$1 policies=$2 run=$3 slice=$4 login=$5 command=$6 rule=$7
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
say() { printf 'pl-vnm %s %s\\n' "$1" "$2"; }
# Whether only root can change a file: it and all directories above it.
safe() {
  path=$(readlink -f "$1") || return 1
  while :; do
    [ -O "$path" ] || return 1
    case $(ls -ld "$path") in ?????w*|????????w*) return 1;; esac
    [ "$path" != / ] || return 0
    path=\${path%/*}
    path=\${path:-/}
  done
}
one_line() { tr '\\n' '\\037' <"$1"; }
for program in sudo runuser flock nsenter ip; do
  command -v "$program" >/dev/null || say lacks "$program"
done
if [ ! -d /etc/sudoers.d ]; then say lacks /etc/sudoers.d; fi
for place in "$lib" "$policies" /etc/sudoers.d; do
  while [ ! -e "$place" ]; do place=\${place%/*}; place=\${place:-/}; done
  safe "$place" || say unsafe "$place"
done
uid=$(id -u "$login" 2>/dev/null) && say uid "$uid"
for node in /usr/bin/node /usr/local/bin/node "$(command -v node)" "$lib/node"; do
  if [ -x "$node" ] && safe "$node"; then
    node=$(readlink -f "$node")
    say runtime "$("$node" --version </dev/null 2>/dev/null) $node"
  fi
done
for file in "$policies"/*.json; do
  if [ -f "$file" ]; then say policy "$(one_line "$file")"; fi
done
if [ -f "$command" ]; then say command "$(one_line "$command")"; fi
if [ -f "$rule" ]; then say rule "$(one_line "$rule")"; fi
if [ -S "$run/$slice.sock" ]; then say has socket; fi
say done survey
`;

/**
 * `slice` and `login` must have passed their patterns. Throws as `SshSession.exec`, and `failed` when no shell answers.
 */
export async function surveyAsAdmin(
  session: SshSession,
  survey: NodeSurvey,
  slice: string,
  login: string,
  signal: AbortSignal | undefined,
): Promise<AdminSurvey> {
  const places = [survey.lib, survey.policyDirectory, runDirectory(survey)];
  const words = [...places, slice, login, attachCommand(survey.lib, slice), rulePath(slice)];
  const { stdout, stderr, code } = await session.exec(`${asRoot(survey)}sh -s -- ${words.join(' ')}`, {
    stdin: Buffer.from(script),
    what: 'the survey',
    signal,
  });
  const found = parseAdminSurvey(stdout.toString());
  if (found !== undefined) return found;
  const said = stderr.trim() === '' ? '' : `: ${stderr.trim().slice(-1000)}`;
  throw new VnmError('failed', `the survey on ${nameOf(session.target)} failed (exit code ${code})${said}`);
}

/** Directory of the agents' sockets, locks and logs. */
export function runDirectory({ directory }: Pick<NodeSurvey, 'directory'>): string {
  return directory === undefined ? '/run/pl-vnm' : `${directory}/run`;
}

/** Returns undefined when the answer is incomplete. */
export function parseAdminSurvey(text: string): AdminSurvey | undefined {
  const lines = [...text.matchAll(/^pl-vnm (\w+) (.*)$/gm)].map(([, key, value]) => ({ key: key!, value: value! }));
  const all = (key: string) => lines.filter((line) => line.key === key).map((line) => line.value);
  const textOf = (key: string) => all(key).map((value) => value.replaceAll('\x1f', '\n'))[0];
  if (!all('done').includes('survey')) return undefined;
  const [uid] = all('uid');
  const runtimes = all('runtime').flatMap(parseRuntime);
  const recent = runtimes.find(({ major }) => major >= oldestRuntime);
  const [command, rule] = [textOf('command'), textOf('rule')];
  return {
    ...(uid === undefined ? {} : { uid: Number(uid) }),
    lacks: all('lacks'),
    unsafe: [...new Set(all('unsafe'))],
    ...(recent === undefined ? {} : { runtime: recent.path }),
    oldRuntimes: runtimes.filter(({ major }) => major < oldestRuntime).map(({ version }) => version),
    policies: all('policy').flatMap(parsePolicy),
    ...(command === undefined ? {} : { command }),
    ...(rule === undefined ? {} : { rule }),
    hasSocket: all('has').includes('socket'),
  };
}

function parsePolicy(text: string): Policy[] {
  try {
    return [policySchema.parse(JSON.parse(text.replaceAll('\x1f', '\n')))];
  } catch {
    // The agent refuses to start with a faulty policy, so it grants no slice anything.
    return [];
  }
}

/** Lists the slices that have a policy, an agent or anything installed on a node, as its root sees it. */
import { basename } from 'node:path';
import { VnmError } from '../model/errors.ts';
import { decodePolicy, type Policy, policySchema } from '../vsys/policy.ts';
import { installedOf, type Marks, type RuleMark } from '../vsys/presence.ts';
import { loginsOf } from '../vsys/sudo-rule.ts';
import { runDirectory } from './admin-survey.ts';
import { asRoot } from './delivery.ts';
import type { NodeSurvey } from './node-survey.ts';
import { nameOf } from './ssh-errors.ts';
import type { SshSession } from './ssh-session.ts';
import type { SshOptions } from './ssh-types.ts';

export interface ListedSlice {
  readonly slice: string;
  /** Absent where neither a policy nor an agent gives it. */
  readonly vnet?: string;
  /** Path of its policy, where it has one. */
  readonly policy?: string;
  /** `agent install` or the controller of the slice; absent where there is only an agent or something installed. */
  readonly by?: 'administrator' | 'controller';
  /** The login that may attach with a sudo rule. */
  readonly login?: string;
  /** Interfaces, namespaces, rules and filters, by kind and name. */
  readonly installed: readonly string[];
  /** Process id of its running agent. */
  readonly pid?: number;
}

/**
 * Constant, given to `sh` as its standard input. Nothing it runs may read that input. /proc/locks says which process
 * holds an agent's lock.
 */
const script = `
echo
lib=$1 policies=$2 run=$3
PATH=$PATH:/usr/sbin:/sbin
say() { printf 'pl-vnm %s %s\\n' "$1" "$2"; }
one_line() { tr '\\n' '\\037' <"$1"; }
for file in "$policies"/*.json; do
  if [ -f "$file" ]; then say policy "$file $(one_line "$file")"; fi
done
for file in "$lib"/attach-*; do
  if [ -f "$file" ]; then say command "\${file##*/attach-}"; fi
done
for file in /etc/sudoers.d/pl-vnm-*; do
  if [ -f "$file" ]; then say rule "\${file##*/pl-vnm-} $(one_line "$file")"; fi
done
for lock in "$run"/*.lock; do
  [ -f "$lock" ] || continue
  inode=$(ls -i "$lock") && inode=\${inode%% *}
  slice=\${lock##*/}
  while read -r _ kind _ _ pid where _; do
    case "$kind $where" in "FLOCK "*:"$inode") ;; *) continue;; esac
    say agent "\${slice%.lock} $pid $(tr '\\0' ' ' <"/proc/$pid/cmdline")"
  done </proc/locks
done
ip -o link show | while read -r _ name _; do name=\${name%:}; say interface "\${name%@*}"; done
for file in /run/netns/*; do
  if [ -e "$file" ]; then say namespace "\${file##*/}"; fi
done
ip rule show | while read -r priority words; do say iprule "\${priority%:} $words"; done
if command -v nft >/dev/null; then
  nft list tables </dev/null | while read -r _ _ name; do say filter "$name"; done
fi
say done list
exit
`;

const timeoutMs = 60_000;

/** Throws VnmError `conflict` where something of the slice is installed. */
export function refuseInstalled(place: string, { slice, installed }: ListedSlice): void {
  if (installed.length === 0) return;
  const filters = installed.flatMap((one) => (one.startsWith('filter ') ? [one.slice('filter '.length)] : []));
  const hint =
    filters.length < installed.length
      ? `run pl-vnm uninstall ${slice} with the database that it was installed with`
      : `run on the node: nft delete table inet ${filters.join(' ')}`;
  throw new VnmError('conflict', `slice '${slice}' still has something on ${place}: ${shorten(installed)}`, { hint });
}

export function shorten(names: readonly string[]): string {
  return [...names.slice(0, 3), ...(names.length > 3 ? [`and ${names.length - 3} more`] : [])].join(', ');
}

/** `fallback`: the policy of a slice that may have none there. Throws VnmError `failed`, and as `SshSession.exec`. */
export async function listSlices(
  session: SshSession,
  survey: NodeSurvey,
  { signal }: Pick<SshOptions, 'signal'>,
  fallback?: Policy,
): Promise<ListedSlice[]> {
  const words = [survey.lib, survey.policyDirectory, runDirectory(survey)];
  const { stdout, stderr, code } = await session.exec(`${asRoot(survey)}sh -s -- ${words.join(' ')}`, {
    stdin: Buffer.from(script),
    what: 'the list of slices',
    timeoutMs,
    signal,
  });
  const listed = parseList(stdout.toString(), fallback);
  if (listed !== undefined) return listed;
  const said = stderr.trim() === '' ? '' : `: ${stderr.trim().slice(-1000)}`;
  throw new VnmError('failed', `listing the slices on ${nameOf(session.target)} failed (exit code ${code})${said}`);
}

/** Returns undefined when the answer is incomplete. */
export function parseList(text: string, fallback?: Policy): ListedSlice[] | undefined {
  const lines = [...text.matchAll(/^pl-vnm (\w+) (.*)$/gm)].map(([, key, value]) => ({ key: key!, value: value! }));
  const all = (key: string) => lines.filter((line) => line.key === key).map((line) => line.value);
  if (!all('done').includes('list')) return undefined;
  const files = all('policy')
    .map(splitAtSpace)
    .map(([path, text]) => ({ path, policy: parsePolicy(text) }));
  const commands = all('command');
  const logins = new Map(
    all('rule')
      .map(splitAtSpace)
      .map(([slice, text]) => [slice, loginsOf(text.replaceAll('\x1f', '\n'))[0]]),
  );
  const agents = new Map(
    all('agent')
      .map(parseAgent)
      .map((agent) => [agent.slice, agent]),
  );
  const names = [
    ...files.map(({ path, policy }) => policy?.slice ?? basename(path, '.json')),
    ...commands,
    ...logins.keys(),
    ...agents.keys(),
    ...(fallback === undefined ? [] : [fallback.slice]),
  ];
  const marks: Marks = {
    interfaces: all('interface'),
    namespaces: all('namespace'),
    rules: all('iprule').map(parseRule),
    filters: all('filter'),
  };
  return [...new Set(names)].sort().flatMap((slice) => {
    const file = files.find(({ path }) => basename(path, '.json') === slice);
    const agent = agents.get(slice);
    const policy = file?.policy ?? agent?.policy ?? (fallback?.slice === slice ? fallback : undefined);
    const isAdministrators = commands.includes(slice) || logins.has(slice);
    const installed = policy === undefined ? [] : installedOf(policy, marks);
    if (file === undefined && agent === undefined && !isAdministrators && installed.length === 0) return [];
    const login = logins.get(slice);
    return [
      {
        slice,
        ...(policy === undefined ? {} : { vnet: policy.vnet }),
        ...(file === undefined ? {} : { policy: file.path }),
        ...(isAdministrators ? { by: 'administrator' as const } : file && { by: 'controller' as const }),
        ...(login === undefined ? {} : { login }),
        installed,
        ...(agent === undefined ? {} : { pid: agent.pid }),
      },
    ];
  });
}

/** Parses a line of `ip rule show`: priority, space, rule. */
function parseRule(text: string): RuleMark {
  const [priority, words] = splitAtSpace(text);
  return { priority: Number(priority), table: /\blookup (\S+)/.exec(words)?.[1] ?? '', words };
}

function parseAgent(text: string): { slice: string; pid: number; policy: Policy | undefined } {
  const [slice = '', pid = '', ...words] = text.trim().split(' ');
  const brought = words[words.indexOf('--policy') + 1];
  if (!words.includes('--policy') || brought === undefined) return { slice, pid: Number(pid), policy: undefined };
  try {
    return { slice, pid: Number(pid), policy: decodePolicy(brought) };
  } catch {
    // A policy of another version.
    return { slice, pid: Number(pid), policy: undefined };
  }
}

function parsePolicy(text: string): Policy | undefined {
  try {
    return policySchema.parse(JSON.parse(text.replaceAll('\x1f', '\n')));
  } catch {
    // It is faulty, so the slice has no agent.
    return undefined;
  }
}

function splitAtSpace(text: string): [string, string] {
  const at = text.indexOf(' ');
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

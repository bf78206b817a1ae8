/** Pure: how a command is started in a network, and as whom. */
import type { NamespaceName } from '../../model/names.ts';
import type { Login } from './login.ts';

/** `root` on a node of the user's own, or where the policy says so; else the slice's login. */
export type RunAs = 'root' | Login;

/**
 * The agent has no limits of its own (`surroundings.ts`), and the login's were set by the session that it opened, which
 * this is not.
 */
const limits = [
  '--core=0',
  '--nproc=256',
  '--nofile=1024',
  '--memlock=65536',
  '--msgqueue=819200',
  '--sigpending=1024',
];

const onlyRaw = '-all,+net_raw';

/** The command ends with the agent, however that ends. */
const withAgent = '--pdeathsig=KILL';

/**
 * Returns the words that run the command in the namespace, or without one in the node's own network; files and
 * processes are the node's. A login keeps nothing of root: it gets its own groups, no capabilities, and no program can
 * give it any. (The kernel would refuse to start a `ping` that wants to open packet sockets if the bounding set
 * excluded that; it still does not get the right.) `raw`: it has that one right, which is for programs of the agent's
 * choice only.
 */
export function launchWords(
  namespace: NamespaceName | undefined,
  runAs: RunAs,
  command: readonly string[],
  { raw = false }: { raw?: boolean } = {},
): string[] {
  const enter = namespace === undefined ? [] : ['nsenter', `--net=/run/netns/${namespace}`, '--'];
  if (runAs === 'root') return [...enter, 'setpriv', withAgent, '--', ...command];
  const capabilities = raw ? onlyRaw : '-all';
  const drop = [
    `--reuid=${runAs.uid}`,
    `--regid=${runAs.gid}`,
    '--init-groups',
    '--no-new-privs',
    `--inh-caps=${capabilities}`,
    `--ambient-caps=${capabilities}`,
    `--bounding-set=${onlyRaw}`,
    withAgent,
  ];
  return [...enter, 'prlimit', ...limits, '--', 'setpriv', ...drop, '--', ...command];
}

/** Returns the environment of a command. `own`: that of the agent. */
export function launchEnvironment(
  runAs: RunAs,
  own: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const [name, home] = runAs === 'root' ? ['root', own.HOME ?? '/root'] : [runAs.name, runAs.home];
  return {
    PATH: own.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: home,
    USER: name,
    LOGNAME: name,
    ...(own.LANG === undefined ? {} : { LANG: own.LANG }),
  };
}

/** Returns the words of a program that writes what passes an interface to its output, as a pcap file. */
export function captureWords({
  interface: name,
  snaplen,
  count,
}: {
  readonly interface: string;
  readonly snaplen: number;
  readonly count?: number | undefined;
}): string[] {
  const limit = count === undefined ? [] : ['-c', String(count)];
  // As it comes (-U), without names for addresses (-n) and without changing the interface (-p).
  return [
    ...['tcpdump', '-i', name, '-s', String(snaplen), ...limit],
    ...['--time-stamp-precision=nano', '-n', '-p', '-U', '-w', '-'],
  ];
}

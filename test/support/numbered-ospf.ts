/**
 * Sends packets of IP protocol 89 (OSPF) between network namespaces and receives them, by raw sockets as routing
 * daemons have, to see which arrive and in which order. Needs root, and Perl, since Node.js has no raw sockets.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const group = '224.0.0.5';
const protocol = 89;

/** Packets of one processor do not overtake each other. */
const perl = (namespace: string, script: string, words: readonly (string | number)[]): string[] => [
  ...['taskset', '--cpu-list', '0', 'nsenter', `--net=/run/netns/${namespace}`],
  ...['--', 'perl', '-MSocket', '-e', script, ...words.map(String)],
];

const sendScript = `
my ($from, $to, $first, $count, $pauseS) = @ARGV;
socket(my $socket, AF_INET, SOCK_RAW, ${protocol}) or die "socket: $!";
setsockopt($socket, 0, 32, inet_aton($from)) or die "IP_MULTICAST_IF: $!";
for my $number ($first .. $first + $count - 1) {
  defined send($socket, pack('N x60', $number), 0, sockaddr_in(0, inet_aton($to))) or die "send: $!";
  select undef, undef, undef, $pauseS if $pauseS > 0;
}`;

/** Sends `count` packets with the numbers from `first` on, to all routers of the link or to one; fewer after `end`. */
export function sendOspf(
  namespace: string,
  { from, to = group, first, count, pauseMs = 0 }: OspfPackets,
): { readonly sent: Promise<void>; end(): void } {
  const [command, ...words] = perl(namespace, sendScript, [from, to, first, count, pauseMs / 1000]) as [string];
  const child = spawn(command, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  let isEnded = false;
  const sent = once(child, 'exit').then(([code]) => {
    if (code !== 0 && !isEnded) throw new Error(`the sender ended with code ${code}`);
  });
  const end = () => {
    isEnded = true;
    child.kill();
  };
  return { sent, end };
}

interface OspfPackets {
  /** The address of the interface that sends. */
  readonly from: string;
  readonly to?: string;
  readonly first: number;
  readonly count: number;
  readonly pauseMs?: number;
}

const receiveScript = `
$| = 1;
socket(my $socket, AF_INET, SOCK_RAW, ${protocol}) or die "socket: $!";
setsockopt($socket, SOL_SOCKET, 33, pack('i', 16_000_000)) or die "SO_RCVBUFFORCE: $!";
for (@ARGV) {
  setsockopt($socket, 0, 35, pack('a4 a4 i', inet_aton('${group}'), inet_aton($_), 0)) or die "join: $!";
}
print "ready\\n";
while (defined recv($socket, my $packet, 2000, 0)) {
  print unpack('N', substr($packet, 4 * (ord($packet) & 15))), "\\n";
}`;

export interface OspfReceiver {
  /** The numbers received so far, in the order of arrival. */
  numbers(): number[];
  end(): Promise<void>;
}

/** A socket that joins no group gets what others in the namespace have joined. */
const observeScript = `
$| = 1;
socket(my $socket, AF_INET, SOCK_RAW, ${protocol}) or die "socket: $!";
setsockopt($socket, SOL_SOCKET, 33, pack('i', 16_000_000)) or die "SO_RCVBUFFORCE: $!";
print "ready\\n";
while (defined recv($socket, my $packet, 2000, 0)) {
  print join(' ', inet_ntoa(substr($packet, 12, 4)), unpack('x2 n n', $packet)), "\\n";
}`;

/**
 * OSPF packets that were seen, in their order, each as the address of its sender, its length and its identification
 * (RFC 791): daemons that number their packets themselves use the numbers of others, too.
 */
export interface SeenOspf {
  packets(): string[];
  end(): Promise<void>;
}

/** Sees what the stack of a namespace gives to routing daemons. */
export async function observeOspf(namespace: string): Promise<SeenOspf> {
  const [command, ...words] = perl(namespace, observeScript, []) as [string];
  const watching = await watch(command, words, 'stdout');
  return { ...watching, packets: () => watching.lines().slice(1) };
}

/** Sees what leaves by an interface. */
export async function sentOspf(namespace: string, name: string): Promise<SeenOspf> {
  const words = ['-i', name, '-Q', 'out', '-n', '-l', '-v', 'ip', 'proto', String(protocol)];
  const inside = [`--net=/run/netns/${namespace}`, '--', 'tcpdump', '--immediate-mode', ...words];
  const watching = await watch('nsenter', inside, 'stderr');
  const seen = /\bid (\d+),.* length (\d+)\)\n\s+([\d.]+) > /g;
  return {
    ...watching,
    packets: () => [...watching.text().matchAll(seen)].map(([, id, length, from]) => `${from} ${length} ${id}`),
  };
}

/** Starts a program; resolves when it has written to that output. */
async function watch(command: string, words: readonly string[], ready: 'stdout' | 'stderr') {
  const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(child[ready], 'data');
  return {
    text: () => text,
    lines: () => text.split('\n').slice(0, -1),
    end: async () => {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}

/** Joins the group of all routers at the interfaces with these addresses. */
export async function receiveOspf(namespace: string, addresses: readonly string[]): Promise<OspfReceiver> {
  const [command, ...words] = perl(namespace, receiveScript, addresses) as [string];
  const child: ChildProcess = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(child.stdout!, 'data');
  return {
    numbers: () => text.split('\n').slice(1, -1).map(Number),
    end: async () => {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}

/**
 * Finds the largest packets that get through to addresses and back, by loss: a path may carry less than any interface
 * says, and drop larger packets silently. The kernel of the other end answers ICMP echo requests. A program of the node
 * sends them, since Node.js cannot open the socket: perl if the node has it (Debian's base system does), otherwise
 * ping.
 */
import type { Params, Results } from '../../../vsys/messages.ts';
import { ownStack } from '../planner/state.ts';
import { runProbe } from './probe-program.ts';

/** How many probes one program sends: each takes a socket. */
const probesAtOnce = 128;
/** Time for the rounds of a program on a path with a long delay. */
const roundsMs = 60_000;

/**
 * Sends all probes of a stack at once, each from its own address. It first tries the largest size, five times within
 * the timeout; if only the smallest gets an answer, it tries 15 sizes in between at a time, three times each, until the
 * interval is one byte. Prints a size per pair, 0 if nothing answered.
 */
const script = String.raw`
use strict; use Socket; use POSIX ();
my $tick = POSIX::sysconf(&POSIX::_SC_CLK_TCK);
sub now { return (POSIX::times())[0] / $tick; }
my ($smallest, $largest, $timeout, @ends) = @ARGV;
my (@probes, %by);
while (@ends) {
  my ($from, $to) = splice(@ends, 0, 2);
  socket(my $s, PF_INET, SOCK_RAW, 1) or die "socket: $!\n";
  # Without such an address or a route nothing answers.
  my $is_open = bind($s, sockaddr_in(0, inet_aton($from))) && connect($s, sockaddr_in(0, inet_aton($to)));
  # IP_MTU_DISCOVER = IP_PMTUDISC_PROBE: Don't Fragment, whatever path MTU the kernel assumes.
  setsockopt($s, 0, 10, pack('i', 3)) or die "setsockopt: $!\n";
  setsockopt($s, SOL_SOCKET, SO_RCVBUF, 1 << 20);
  my $id = $is_open ? (int(rand(65536)) + @probes) & 0xffff : -1;
  push @probes, { s => $s, id => $id, ok => 0, bad => $is_open ? $largest + 1 : 1, rtt => 0 };
}
sub checksum {
  my $sum = 0;
  $sum += $_ for unpack('n*', $_[0] . (length($_[0]) % 2 ? "\0" : ''));
  $sum = ($sum >> 16) + ($sum & 0xffff) while $sum >> 16;
  return ~$sum & 0xffff;
}
sub ask {
  my ($p, $size) = @_;
  my $data = pack('d', now()) . 'x' x ($size - 36);
  my $sum = checksum(pack('CCnnn', 8, 0, 0, $p->{id}, $size & 0xffff) . $data);
  send($p->{s}, pack('CCnnn', 8, 0, $sum, $p->{id}, $size & 0xffff) . $data, 0);
}
sub hear {
  my ($p) = @_;
  defined recv($p->{s}, my $packet, 65535, 64) or return 0;
  my $header = (unpack('C', $packet) & 15) * 4;
  return 1 if length($packet) < $header + 16;
  my ($type, $code, $sum, $id, $sequence, $at) = unpack("x$header CCnnnd", $packet);
  return 1 if $type != 0 or $id != $p->{id};
  my $size = length($packet);
  # A late answer counts, too: the size was ruled out too soon.
  $p->{bad} = $largest + 1 if $size >= $p->{bad};
  $p->{ok} = $size if $size > $p->{ok};
  my $rtt = now() - $at;
  $p->{rtt} = $rtt if $rtt > $p->{rtt} and $rtt < 60;
  return 1;
}
sub listen_for {
  my ($seconds, $done) = @_;
  my $end = now() + $seconds;
  while (!$done->() and (my $left = $end - now()) > 0) {
    my $wanted = '';
    vec($wanted, fileno($_->{s}), 1) = 1 for @probes;
    last if select(my $ready = $wanted, undef, undef, $left) <= 0;
    for my $p (@probes) { if (vec($ready, fileno($p->{s}), 1)) { 1 while hear($p); } }
  }
}
sub is_found { my ($p) = @_; return $p->{ok} + 1 >= $p->{bad}; }
for my $try (1 .. 5) {
  for my $p (grep { !is_found($_) } @probes) { ask($p, $largest); ask($p, $smallest) if $p->{ok} == 0 and $smallest < $largest; }
  listen_for($timeout / 5000, sub { !grep { !is_found($_) } @probes });
  last if !grep { !is_found($_) } @probes;
}
$_->{bad} = $largest for grep { !is_found($_) } @probes;
while (my @open = grep { $_->{ok} > 0 and !is_found($_) } @probes) {
  my %sizes;
  for my $p (@open) {
    my $step = ($p->{bad} - $p->{ok}) / 16;
    my %some = map { int($p->{ok} + $_ * $step) => 1 } 1 .. 15;
    $sizes{$p} = [sort { $a <=> $b } grep { $_ > $p->{ok} and $_ < $p->{bad} } keys %some];
  }
  my $rtt = 0;
  for my $p (@open) { $rtt = $p->{rtt} if $p->{rtt} > $rtt; }
  for my $try (1 .. 3) {
    for my $p (@open) { ask($p, $_) for grep { $_ > $p->{ok} } @{ $sizes{$p} }; }
    listen_for(0.05 + 3 * $rtt, sub { !grep { $_->{ok} < $sizes{$_}[-1] } @open });
  }
  for my $p (@open) { ($p->{bad}) = ((grep { $_ > $p->{ok} } @{ $sizes{$p} }), $p->{bad}); }
}
print join(' ', map { $_->{ok} } @probes), "\n";
`;

type Probe = Params<'packet_sizes'>['probes'][number];
type Range = Pick<Params<'packet_sizes'>, 'smallest' | 'largest' | 'timeoutMs'>;

/**
 * Returns sizes in the order of the probes; null if nothing answered, or this node has no program that can probe.
 * `ended`: aborts when the channel ends.
 */
export async function packetSizes(
  { probes, ...range }: Params<'packet_sizes'>,
  ended?: AbortSignal,
): Promise<Results['packet_sizes']> {
  const sizes: (number | null)[] = probes.map(() => null);
  await Promise.all(
    groupsOf(probes).map(async ({ namespace, indexes }) => {
      const found = await ask(
        namespace,
        indexes.map((index) => probes[index]!),
        range,
        ended,
      );
      indexes.forEach((index, place) => {
        sizes[index] = found[place] || null;
      });
    }),
  );
  return { sizes };
}

/** Groups probes that one program can send: they are in one stack. */
function groupsOf(probes: readonly Probe[]): { namespace: string; indexes: number[] }[] {
  const byNamespace = new Map<string, number[]>();
  for (const [index, { namespace = ownStack }] of probes.entries()) {
    byNamespace.set(namespace, [...(byNamespace.get(namespace) ?? []), index]);
  }
  return [...byNamespace].flatMap(([namespace, indexes]) =>
    Array.from({ length: Math.ceil(indexes.length / probesAtOnce) }, (_, part) => ({
      namespace,
      indexes: indexes.slice(part * probesAtOnce, (part + 1) * probesAtOnce),
    })),
  );
}

/** Returns 0 where nothing answered. */
async function ask(namespace: string, probes: readonly Probe[], range: Range, ended?: AbortSignal): Promise<number[]> {
  const sizes = await sizesByPerl(namespace, probes, range, ended);
  if (sizes !== undefined) return sizes;
  if (ended?.aborted) return [];
  return Promise.all(probes.map((probe) => byPing(namespace, probe, range, ended)));
}

/** Returns 0 where nothing answered. Undefined if this node has no perl, may not send requests, or after `ended`. */
export async function sizesByPerl(
  namespace: string,
  probes: readonly Pick<Probe, 'from' | 'to'>[],
  { smallest, largest, timeoutMs }: Range,
  ended?: AbortSignal,
): Promise<number[] | undefined> {
  const ends = probes.flatMap(({ from, to }) => [from, to]);
  const words = ['-e', script, ...[smallest, largest, timeoutMs].map(String), ...ends];
  const { code, stdout } = await runProbe({ namespace, command: 'perl', words, limitMs: timeoutMs + roundsMs }, ended);
  return code === 0 ? stdout.trim().split(' ').map(Number) : undefined;
}

/** Size of the IPv4 and ICMP headers. */
const headerBytes = 28;

/** Far more than the second that it takes. */
const pingLimitMs = 10_000;

/** Tries one size after another: slow, and only used without perl. */
async function byPing(
  namespace: string,
  { from, to }: Probe,
  { smallest, largest }: Range,
  ended?: AbortSignal,
): Promise<number> {
  const passes = async (bytes: number) => {
    const words = ['-n', '-q', '-c', '3', '-i', '0.2', '-w', '1', '-M', 'do', '-s', String(bytes - headerBytes)];
    const program = { namespace, command: 'ping', words: [...words, '-I', from, to], limitMs: pingLimitMs };
    return (await runProbe(program, ended)).code === 0;
  };
  if (await passes(largest)) return largest;
  if (!(await passes(smallest))) return 0;
  let [low, high] = [smallest, largest];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await passes(middle)) low = middle;
    else high = middle;
  }
  return low;
}

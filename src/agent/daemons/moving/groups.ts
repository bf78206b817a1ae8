/** The multicast groups of a daemon's sockets, which CRIU does not restore. */
import { VnmError } from '../../../model/errors.ts';
import { run } from '../../run.ts';

/** By interface: its number in the namespace, and the IPv4 groups that were joined on it. */
export type Groups = Readonly<Record<string, readonly string[]>>;

/** Every host has it always. */
const allHosts = '224.0.0.1';

interface MaddressJson {
  readonly ifname: string;
  readonly maddr: readonly { readonly family?: string; readonly address?: string }[];
}

/** Returns the groups of every interface in a network namespace. Throws VnmError `failed`. */
export async function readGroups(namespace: string): Promise<Groups> {
  const { code, stdout, stderr } = await run('ip', ['-netns', namespace, '-json', 'maddress', 'show']);
  if (code !== 0) throw new VnmError('failed', `cannot read multicast groups: ${stderr.trim()}`);
  const groups = (JSON.parse(stdout) as MaddressJson[]).map(({ ifname, maddr }) => {
    const joined = maddr.flatMap(({ family, address }) =>
      family === 'inet' && address !== undefined ? [address] : [],
    );
    return [ifname, joined.filter((group) => group !== allHosts)] as const;
  });
  return Object.fromEntries(groups.filter(([, joined]) => joined.length > 0));
}

/**
 * Gets the sockets of the process (pidfd_getfd), and sets on those that are bound to an interface what CRIU leaves out:
 * the groups of the interface, the interface for multicast, and that their own packets do not come back. An address
 * with `autojoin` would join, too, but daemons see such addresses and use them. Arguments: the process, then an
 * interface and a group each. Prints the number of sockets. The system calls have these numbers on all processors.
 */
const joinScript = String.raw`
use strict; use Socket;
my ($pid, @words) = @ARGV;
my %groups;
while (my ($interface, $group) = splice(@words, 0, 2)) { push @{$groups{$interface}}, $group }
my $process = syscall(434, $pid + 0, 0);
die "pidfd_open: $!\n" if $process < 0;
opendir(my $directory, "/proc/$pid/fd") or die "the files of process $pid: $!\n";
my $sockets = 0;
for my $number (grep { /^\d+$/ } readdir $directory) {
  next unless (readlink("/proc/$pid/fd/$number") // '') =~ /^socket:/;
  my $copy = syscall(438, $process, $number + 0, 0);
  die "pidfd_getfd: $!\n" if $copy < 0;
  open(my $socket, '+<&=', $copy) or die "file $number: $!\n";
  next if unpack('i', getsockopt($socket, SOL_SOCKET, 39) // pack('i', 0)) != AF_INET;
  next if unpack('i', getsockopt($socket, SOL_SOCKET, SO_TYPE)) == SOCK_STREAM;
  my $bytes = getsockopt($socket, SOL_SOCKET, 25) // '';
  my ($interface) = $bytes =~ /^([^\0]+)/;
  next unless defined $interface && $groups{$interface};
  my $request = pack('a16 x24', $interface);
  ioctl($socket, 0x8933, $request) or die "interface $interface: $!\n";
  my $index = unpack('x16 i', $request);
  setsockopt($socket, 0, 34, pack('i', 0)) or die "IP_MULTICAST_LOOP: $!\n";
  setsockopt($socket, 0, 32, pack('x4 x4 i', $index)) or die "IP_MULTICAST_IF: $!\n";
  for my $group (@{$groups{$interface}}) {
    setsockopt($socket, 0, 35, pack('a4 x4 i', inet_aton($group), $index)) or $!{EADDRINUSE}
      or die "group $group on $interface: $!\n";
  }
  $sockets += 1;
}
print "$sockets\n";
`;

/** Joins the groups again for a restored process. Throws VnmError `failed`, also if no socket can have them. */
export async function joinGroups(pid: number, groups: Groups): Promise<void> {
  const pairs = Object.entries(groups).flatMap(([name, joined]) => joined.flatMap((group) => [name, group]));
  if (pairs.length === 0) return;
  const { code, stdout, stderr } = await run('perl', ['-MErrno', '-e', joinScript, '--', String(pid), ...pairs]);
  if (code !== 0) throw new VnmError('failed', `the daemon's multicast groups cannot be joined: ${stderr.trim()}`);
  if (Number(stdout) > 0) return;
  throw new VnmError('failed', 'the restored daemon has no socket for its multicast groups');
}

/**
 * Redirects prefixes by one change of the nexthop in their group, and next to it by `ip route replace` for each prefix,
 * with few and with many prefixes (VROOM and the paper replace routes). Both by an `ip` that waits for the lines.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { WarmTool } from '../../src/agent/dataplane/kernel/warm-tool.ts';
import { table } from '../../src/cli/output.ts';
import { progress, quantile } from './harness.ts';

const sizes = [1, 100, 10_000, 100_000];
const times = 11;

export async function flipBench(): Promise<string> {
  const namespace = `bench-flip-${process.pid}`;
  const ip = (...words: string[]) => execFileSync('ip', words);
  ip('netns', 'add', namespace);
  try {
    const rows = sizes.map((size, index) => {
      const run = execFileSync('nsenter', [
        `--net=/run/netns/${namespace}`,
        process.execPath,
        import.meta.filename,
        String(size),
      ]);
      progress('prefixes', index + 1, sizes.length);
      const { group, routes } = JSON.parse(run.toString()) as { group: number[]; routes: number[] };
      const [one, other] = [quantile(group, 0.5), quantile(routes, 0.5)];
      return [size, one.toFixed(3), other.toFixed(3), (other / one).toFixed(1)];
    });
    return table(['prefixes', 'group: median ms', 'ip route replace: median ms', 'ratio'], rows);
  } finally {
    ip('netns', 'del', namespace);
  }
}

/** In the namespace: makes two ways and the prefixes, and changes each way `times` times. */
function measure(size: number): { group: number[]; routes: number[] } {
  // As the agent needs it: otherwise the kernel reports every prefix.
  writeFileSync('/proc/sys/net/ipv4/nexthop_compat_mode', '0');
  const tool = new WarmTool('ip', new Int32Array(new SharedArrayBuffer(8)));
  const work = (lines: readonly string[]) => {
    const error = tool.work(lines);
    if (error !== undefined) throw new Error(error);
  };
  const prefixes = Array.from(
    { length: size },
    (_, index) => `10.${64 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}/32`,
  );
  const inBatches = (lines: readonly string[]) => {
    for (let first = 0; first < lines.length; first += 1000) work(lines.slice(first, first + 1000));
  };
  const time = (change: (way: number) => void) =>
    Array.from({ length: times }, (_, index) => {
      const beganAtMs = performance.now();
      change(index % 2);
      return performance.now() - beganAtMs;
    });
  work(['link add v0 type veth peer name v1\n', 'link set v0 up\n', 'link set v1 up\n']);
  work(['address add 192.0.2.1/24 dev v0\n', 'address add 198.51.100.1/24 dev v1\n']);
  const ways = ['via 192.0.2.2 dev v0 onlink', 'via 198.51.100.2 dev v1 onlink'];
  work([`nexthop replace id 1 ${ways[0]}\n`, 'nexthop replace id 9 group 1\n']);
  inBatches(prefixes.map((prefix) => `route add ${prefix} nhid 9\n`));
  const group = time((way) => work([`nexthop replace id 1 ${ways[way]}\n`]));
  work(['nexthop flush\n']);
  inBatches(prefixes.map((prefix) => `route add ${prefix} ${ways[0]}\n`));
  const lines = ways.map((way) => prefixes.map((prefix) => `route replace ${prefix} ${way}\n`));
  const routes = time((way) => inBatches(lines[way]!));
  work(['link del v0\n']);
  return { group, routes };
}

if (import.meta.main) {
  console.log(JSON.stringify(measure(Number(process.argv[2]))));
  process.exit();
}

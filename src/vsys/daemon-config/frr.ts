/**
 * FRR 8.4. A configuration is a list of lines. FRR reads a line in the current block and, where it means nothing there,
 * in the blocks around it; indentation means nothing, and words may be abbreviated. So each line must begin with whole
 * words that are harmless in every block. FRR cuts lines that are longer than its buffer (4096 bytes) and reads the
 * rest as a line of its own.
 */
import { invalid, refused } from './refusal.ts';

const maxLineBytes = 1024;

/** The first words of a line; each with its second words where only some are allowed. */
const lines: ReadonlyMap<string, readonly string[] | 'any'> = new Map<string, readonly string[] | 'any'>([
  // At the top
  ['frr', ['version', 'defaults']],
  ['hostname', 'any'],
  ['log', ['stdout']],
  ['debug', ['bgp', 'ospf', 'zebra', 'static', 'route-map']],
  ['router', ['ospf', 'bgp']],
  ['interface', 'any'],
  ['ip', ['route', 'prefix-list', 'ospf', 'router-id', 'protocol']],
  ['access-list', 'any'],
  ['route-map', 'any'],
  ['exit', []],
  // Interfaces and OSPF
  ['description', 'any'],
  ['bandwidth', 'any'],
  ['area', 'any'],
  ['auto-cost', 'any'],
  ['capability', ['opaque']],
  ['compatible', ['rfc1583']],
  ['default-information', 'any'],
  ['default-metric', 'any'],
  ['distance', 'any'],
  ['distribute-list', 'any'],
  ['graceful-restart', 'any'],
  ['log-adjacency-changes', 'any'],
  ['max-metric', 'any'],
  ['maximum-paths', 'any'],
  ['network', 'any'],
  ['ospf', 'any'],
  ['passive-interface', 'any'],
  ['redistribute', 'any'],
  ['summary-address', 'any'],
  ['timers', 'any'],
  // BGP
  ['address-family', ['ipv4']],
  ['aggregate-address', 'any'],
  ['bgp', 'any'],
  ['exit-address-family', []],
  ['neighbor', 'any'],
  // Route maps. `match script` runs a program on the node.
  ['call', 'any'],
  ['continue', 'any'],
  [
    'match',
    [
      ...['as-path', 'community', 'extcommunity', 'interface', 'ip', 'large-community', 'local-preference'],
      ...['metric', 'origin', 'peer', 'source-protocol', 'tag'],
    ],
  ],
  ['on-match', 'any'],
  [
    'set',
    [
      ...['aggregator', 'as-path', 'atomic-aggregate', 'comm-list', 'community', 'distance', 'extcommunity', 'ip'],
      ...['large-comm-list', 'large-community', 'local-preference', 'metric', 'metric-type', 'origin', 'src', 'tag'],
      ...['weight'],
    ],
  ],
]);

/** Needed by the generated configuration, although the opposite could do harm. */
const wholeLines: readonly string[] = ['no zebra nexthop kernel enable', 'no proactive-arp'];

const reasons: ReadonlyMap<string, string> = new Map([
  ['log', 'it writes to a file or a system log of the node'],
  ['dump', 'it writes to files on the node'],
  ['banner', 'it reads a file on the node'],
  ['do', 'it runs a command'],
  ['end', 'what follows would be commands'],
  ['copy', 'it reads or writes files on the node'],
  ['write', 'it writes files on the node'],
  ['start-shell', 'it runs a program on the node'],
  ['match', 'a script runs on the node'],
  ['zebra', 'a script runs on the node'],
  ['vrf', 'it enters other network namespaces of the node'],
  ['netns', 'it enters other network namespaces of the node'],
  ['rpki', 'it reads key files on the node'],
  ['agentx', 'it connects to a program on the node'],
  ['line', 'it opens a way to log in'],
  ['password', 'it opens a way to log in'],
  ['enable', 'it opens a way to log in'],
  ['service', 'it changes how files on the node are written'],
]);

const allowed = `allowed: whole words, beginning with ${[...lines.keys()].join(', ')}, or 'no' and one of these`;

/** Throws VnmError `forbidden` or `invalid-input`. */
export function checkFrr(text: string): void {
  text.split('\n').forEach((content, index) => {
    checkLine(content, index + 1);
  });
}

/** The protocols with a `router` line in an allowed configuration. */
export function frrProtocols(text: string): ReadonlySet<string> {
  const lines = text.split('\n').map(wordsOf);
  return new Set(lines.flatMap(([first, second]) => (first === 'router' && second !== undefined ? [second] : [])));
}

function checkLine(content: string, line: number): void {
  if (Buffer.byteLength(content) > maxLineBytes) {
    throw invalid(line, `it has ${Buffer.byteLength(content)} bytes`, `at most ${maxLineBytes} in a line`);
  }
  const words = wordsOf(content);
  const [first] = words;
  if (first === undefined || /^[!#]/.test(first)) return;
  if (/[^\t -~]/.test(content)) {
    throw invalid(line, 'it has characters beyond ASCII', 'write them in comments only, which begin with !');
  }
  if (wholeLines.includes(words.join(' ')) || isAllowed(first === 'no' ? words.slice(1) : words)) return;
  const reason = reasons.get(first === 'no' ? (words[1] ?? '') : first);
  throw refused(line, content, reason ?? 'it is not on the list of allowed lines', allowed);
}

function isAllowed([first, second]: readonly string[]): boolean {
  const seconds = first === undefined ? undefined : lines.get(first);
  if (seconds === undefined || seconds === 'any') return seconds === 'any';
  return second === undefined ? seconds.length === 0 : seconds.includes(second);
}

function wordsOf(content: string): string[] {
  return content.split(/[\t ]+/).filter((word) => word !== '');
}

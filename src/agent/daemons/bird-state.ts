/** Reads what BIRD 2 prints. Pure. */
import type { Adjacency, DaemonState } from '../../vsys/daemon.ts';
import type { ControlLine } from './bird-control.ts';

/** A protocol of `show protocols all`. */
export interface BirdProtocol {
  readonly name: string;
  readonly type: string;
  readonly lines: readonly string[];
}

/** Codes of lines: 1002 begins a protocol, 1006 are its details. */
export function parseProtocols(answer: readonly ControlLine[]): BirdProtocol[] {
  const protocols: { name: string; type: string; lines: string[] }[] = [];
  for (const { code, text } of answer) {
    if (code === 1002) {
      const [name = '', type = ''] = text.split(/\s+/);
      protocols.push({ name, type, lines: [] });
    } else if (code === 1006) {
      protocols.at(-1)?.lines.push(...text.split('\n').map((line) => line.trim()));
    }
  }
  return protocols;
}

/** Codes of `show ospf neighbors`: 1013 is a title or a neighbour. */
export function parseOspfNeighbours(answer: readonly ControlLine[]): Adjacency[] {
  return answer.flatMap(({ code, text }): Adjacency[] => {
    if (code !== 1013) return [];
    const [neighbour = '', priority, state = '', , name = '', address = ''] = text.trim().split(/\s+/);
    if (!/^\d+$/.test(priority ?? '') || address === '') return [];
    return [{ protocol: 'ospf', neighbour, address, interface: name, state, isUp: state.startsWith('Full') }];
  });
}

/** Counts routes by the type of the protocol that brought them, and finds the BGP sessions. */
export function stateOf(protocols: readonly BirdProtocol[], ospfNeighbours: readonly Adjacency[]): DaemonState {
  const routes: Record<string, number> = {};
  for (const { type, lines } of protocols) {
    const imported = lines.flatMap((line) => {
      const [, count] = /^Routes:\s+(\d+) imported/.exec(line) ?? [];
      return count === undefined ? [] : [Number(count)];
    });
    const count = imported.reduce((sum, one) => sum + one, 0);
    const origin = originOf(type);
    if (count > 0) routes[origin] = (routes[origin] ?? 0) + count;
  }
  const bgp = protocols.filter(({ type }) => type === 'BGP').map(({ lines }) => bgpSession(lines));
  return { adjacencies: [...ospfNeighbours, ...bgp], routes };
}

/** In the words that FRR uses, too. */
function originOf(type: string): string {
  return type === 'Direct' ? 'connected' : type.toLowerCase();
}

function bgpSession(lines: readonly string[]): Adjacency {
  const value = (name: string) => {
    const line = lines.find((candidate) => candidate.startsWith(`${name}:`));
    return line?.slice(name.length + 1).trim();
  };
  const [state, neighbour] = [value('BGP state') ?? 'Down', value('Neighbor ID')];
  return {
    protocol: 'bgp',
    ...(neighbour === undefined ? {} : { neighbour }),
    address: value('Neighbor address')?.split('%')[0] ?? '',
    state,
    isUp: state === 'Established',
  };
}

/**
 * Counts changes of OSPF neighbours in a log with `debug events`, by router id: lines such as `ospf1: Neighbor 0.1.0.2
 * on eth0 changed state from Full to Init`.
 */
export function countChanges(log: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [, neighbour = ''] of log.matchAll(/: Neighbor (\S+) on \S+ changed state from /g))
    counts[neighbour] = (counts[neighbour] ?? 0) + 1;
  return counts;
}

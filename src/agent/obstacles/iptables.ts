/** Parses filter chains from the output of `iptables-save`; what it does not understand is unknown. Pure. */
import { parsePrefix } from '../../model/address.ts';
import {
  type Chain,
  type Chains,
  every,
  isNamed,
  isWithin,
  not,
  type Packets,
  type Rule,
  rangeOfPrefix,
  type Tri,
  type Verdict,
} from './filter.ts';

const hooks: Record<string, string> = { INPUT: 'input', FORWARD: 'forward', OUTPUT: 'output' };

/** Returns the chains of the table `filter`. */
export function parseIptables(text: string): Chains {
  const chains = new Map<string, Chain & { readonly rules: Rule[] }>();
  let isFilter = false;
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) isFilter = line === '*filter';
    if (!isFilter) continue;
    const [, name, policy] = /^:(\S+) (\S+)/.exec(line) ?? [];
    if (name !== undefined) {
      const hook = hooks[name];
      const base = hook === undefined ? {} : { base: { hook, policy: policy === 'DROP' ? 'drop' : 'accept' } as const };
      chains.set(name, { rules: [], ...base });
    }
    const [, chain, words] = /^-A (\S+) ?(.*)$/.exec(line) ?? [];
    if (chain !== undefined) chains.get(chain)?.rules.push(ruleOf(words!));
  }
  return chains;
}

const verdicts: Record<string, Verdict> = {
  ACCEPT: { kind: 'accept' },
  DROP: { kind: 'drop' },
  REJECT: { kind: 'drop' },
  RETURN: { kind: 'return' },
};
/** Targets that give no verdict. */
const neutral = ['LOG', 'NFLOG', 'MARK', 'CONNMARK', 'TCPMSS', 'CT', 'TRACE'];

function ruleOf(text: string): Rule {
  const words = text.match(/"[^"]*"|\S+/g) ?? [];
  const conditions: ((packets: Packets) => Tri)[] = [];
  let verdict: Verdict | undefined;
  for (let at = 0; at < words.length; ) {
    const isNegated = words[at] === '!';
    if (isNegated) at += 1;
    const option = words[at]!;
    const next = words.slice(at + 1).findIndex((word) => word === '!' || word.startsWith('-'));
    const values = words.slice(at + 1, next < 0 ? undefined : at + 1 + next);
    at += 1 + values.length;
    const value = values[0] ?? '';
    if (option === '-j' || option === '-g') {
      if (!neutral.includes(value))
        verdict = verdicts[value] ?? { kind: option === '-j' ? 'jump' : 'goto', chain: value };
      // The rest belongs to the target.
      break;
    }
    // Modules only add options; comments mean nothing.
    if (option === '-m' || option === '--comment') continue;
    const condition = conditionOf(option, value);
    conditions.push(isNegated ? (packets) => not(condition(packets)) : condition);
  }
  const matches = (packets: Packets) => every(conditions.map((condition) => condition(packets)));
  return verdict === undefined ? { matches } : { matches, verdict };
}

function conditionOf(option: string, value: string): (packets: Packets) => Tri {
  switch (option) {
    case '-i':
      return (packets) => isNamed(packets.in, value, '+');
    case '-o':
      return (packets) => isNamed(packets.out, value, '+');
    case '-s':
      return (packets) => isWithin(packets.source, rangeOfPrefix(parsePrefix(value)));
    case '-d':
      return (packets) => isWithin(packets.destination, rangeOfPrefix(parsePrefix(value)));
    case '-p':
      return ({ udpPort }) => (udpPort === undefined ? undefined : value === 'udp' || value === '17');
    case '--dport':
    case '--dports':
      return ({ udpPort }) => (udpPort === undefined ? undefined : hasPort(value, udpPort));
    case '--ctstate':
    case '--state':
      // Only the first packet of a connection matters.
      return () => value.split(',').includes('NEW');
    default:
      return () => undefined;
  }
}

function hasPort(ports: string, port: number): boolean {
  return ports.split(',').some((part) => {
    const [first, last = first] = part.split(':').map(Number);
    return first! <= port && port <= last!;
  });
}

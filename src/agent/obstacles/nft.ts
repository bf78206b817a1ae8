/** Parses filter chains from the output of `nft --json list ruleset`; what it does not understand is unknown. Pure. */
import { parseAddress, parsePrefix } from '../../model/address.ts';
import {
  type AddressRange,
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

export interface Table {
  readonly family: string;
  readonly name: string;
  readonly chains: Chains;
}

type Json = Record<string, unknown>;

/** Returns the tables that IPv4 packets pass. */
export function parseNft(text: string): Table[] {
  const { nftables } = JSON.parse(text) as { nftables: Json[] };
  const found = (kind: string) => nftables.flatMap((entry) => (entry[kind] === undefined ? [] : [entry[kind] as Json]));
  const [chains, rules] = [found('chain'), found('rule')];
  return found('table')
    .filter(({ family }) => family === 'ip' || family === 'inet')
    .map(({ family, name }) => {
      const isOfIt = (entry: Json) => entry.family === family && entry.table === name;
      const its = chains.filter(isOfIt).map((chain): [string, Chain] => {
        const own = rules.filter((rule) => isOfIt(rule) && rule.chain === chain.name);
        return [String(chain.name), chainOf(chain, own)];
      });
      return { family: String(family), name: String(name), chains: new Map(its) };
    });
}

function chainOf({ hook, policy, type }: Json, rules: readonly Json[]): Chain {
  const parsed = rules.flatMap(({ expr }) => rulesOf((expr ?? []) as Json[]));
  if (hook === undefined || type !== 'filter') return { rules: parsed };
  return { rules: parsed, base: { hook: String(hook), policy: policy === 'drop' ? 'drop' : 'accept' } };
}

/** Statements that give no verdict. */
const neutral = ['counter', 'log', 'mangle', 'notrack', 'comment', 'flow', 'meter', 'quota', 'ct helper'];
const plainVerdicts: Record<string, Verdict> = {
  accept: { kind: 'accept' },
  drop: { kind: 'drop' },
  reject: { kind: 'drop' },
  return: { kind: 'return' },
};

/** Returns one rule, or one for each entry of a verdict map. */
function rulesOf(statements: readonly Json[]): Rule[] {
  const conditions: ((packets: Packets) => Tri)[] = [];
  for (const statement of statements) {
    const [kind = '', value] = Object.entries(statement)[0] ?? [];
    const verdict = verdictOf(kind, value);
    if (verdict !== undefined) return [{ matches: allOf(conditions), verdict }];
    if (kind === 'match') conditions.push((packets) => isMatched(value as Json, packets));
    else if (kind === 'vmap') {
      const entries = entriesOf(value as Json);
      if (entries === undefined) return [{ matches: () => undefined, verdict: { kind: 'accept' } }];
      return entries.map(({ test, verdict }) => ({ matches: allOf([...conditions, test]), verdict }));
    } else if (!neutral.includes(kind)) conditions.push(() => undefined);
  }
  return [];
}

function verdictOf(kind: string, value: unknown): Verdict | undefined {
  return kind === 'jump' || kind === 'goto' ? { kind, chain: String((value as Json).target) } : plainVerdicts[kind];
}

function allOf(conditions: readonly ((packets: Packets) => Tri)[]): Rule['matches'] {
  return (packets) => every(conditions.map((condition) => condition(packets)));
}

/** Returns undefined for a named map and for unknown verdicts. */
function entriesOf({ key, data }: Json): { test: (packets: Packets) => Tri; verdict: Verdict }[] | undefined {
  const set = (data as Json | null)?.set;
  if (!Array.isArray(set)) return undefined;
  const entries = (set as [unknown, Json][]).map(([right, value]) => {
    const [kind = '', target] = Object.entries(value)[0] ?? [];
    const verdict = kind === 'continue' ? ({ kind: 'continue' } as const) : verdictOf(kind, target);
    return { test: (packets: Packets) => isMatched({ op: '==', left: key, right }, packets), verdict };
  });
  if (entries.some(({ verdict }) => verdict === undefined)) return undefined;
  return entries.flatMap(({ test, verdict }) =>
    verdict === undefined || verdict.kind === 'continue' ? [] : [{ test, verdict }],
  );
}

function isMatched({ op, left, right }: Json, packets: Packets): Tri {
  const test = testOf(left as Json, packets);
  const options = optionsOf(right);
  if (test === undefined || options === undefined) return undefined;
  const results = options.map(test);
  const some = not(every(results.map(not)));
  if (op === '==' || op === 'in') return some;
  return op === '!=' ? not(some) : undefined;
}

/** Whether packets have a value in a field. */
type Test = (value: unknown) => Tri;

function testOf(left: Json, packets: Packets): Test | undefined {
  const { meta, payload, ct } = left as Record<string, Json | undefined>;
  if (meta !== undefined) return metaTest(String(meta.key), packets);
  if (payload !== undefined) return payloadTest(String(payload.protocol), String(payload.field), packets);
  // Only the first packet of a connection matters.
  if (ct?.key === 'state') return (value) => value === 'new';
  return undefined;
}

function metaTest(key: string, { udpPort, ...packets }: Packets): Test | undefined {
  switch (key) {
    case 'iif':
    case 'iifname':
      return (value) => (packets.hook === 'output' ? false : isNamed(packets.in, String(value), '*'));
    case 'oif':
    case 'oifname':
      return (value) => (packets.hook === 'input' ? false : isNamed(packets.out, String(value), '*'));
    case 'l4proto':
      return (value) => (udpPort === undefined ? undefined : value === 'udp' || value === 17);
    case 'nfproto':
      return (value) => value === 'ipv4' || value === 2;
    case 'protocol':
      return (value) => value === 'ip';
    default:
      return undefined;
  }
}

function payloadTest(protocol: string, field: string, { udpPort, source, destination }: Packets): Test | undefined {
  const known = { saddr: source, daddr: destination };
  if (protocol === 'ip' && (field === 'saddr' || field === 'daddr')) {
    return (value) => {
      const range = rangeOf(value);
      return range === undefined ? undefined : isWithin(known[field], range);
    };
  }
  if (protocol === 'ip' && field === 'protocol') {
    return (value) => (udpPort === undefined ? undefined : value === 'udp' || value === 17);
  }
  if (protocol === 'ip6') return () => false;
  if (udpPort === undefined) return undefined;
  if (protocol === 'udp' || protocol === 'th') return field === 'dport' ? (value) => isPort(udpPort, value) : undefined;
  // A field of another transport protocol.
  return () => false;
}

function isPort(port: number, value: unknown): Tri {
  if (typeof value === 'number') return value === port;
  const range = (value as Json | undefined)?.range as [unknown, unknown] | undefined;
  if (typeof range?.[0] !== 'number' || typeof range[1] !== 'number') return undefined;
  return range[0] <= port && port <= range[1];
}

/** Returns the first and last address of an address, a prefix or a range. */
function rangeOf(value: unknown): AddressRange | undefined {
  const { prefix, range } = ((typeof value === 'object' ? value : undefined) ?? {}) as {
    prefix?: { addr: string; len: number };
    range?: [string, string];
  };
  try {
    if (range !== undefined) return { first: parseAddress(range[0]), last: parseAddress(range[1]) };
    return rangeOfPrefix(parsePrefix(prefix === undefined ? `${value}/32` : `${prefix.addr}/${prefix.len}`));
  } catch {
    return undefined;
  }
}

/** Returns the right side of a match, one value each. Undefined for a named set and the like. */
function optionsOf(right: unknown): unknown[] | undefined {
  if (typeof right === 'string') return right.startsWith('@') ? undefined : [right];
  if (Array.isArray(right)) return right;
  const set = (right as Json | null)?.set;
  return Array.isArray(set) ? set : [right];
}

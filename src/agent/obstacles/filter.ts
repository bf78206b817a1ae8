/** Evaluates chains of filter rules as far as the verdict is certain. Pure. */
import { type Prefix, sizeOf } from '../../model/address.ts';

/** Undefined: unknown. */
export type Tri = boolean | undefined;

/** What is known of a class of packets. */
export interface Packets {
  readonly hook: 'input' | 'forward' | 'output';
  /** Incoming and outgoing interfaces; undefined: any. */
  readonly in?: string;
  readonly out?: string;
  readonly source?: Prefix;
  readonly destination?: Prefix;
  /** UDP packets to this port; if absent, packets of any protocol. */
  readonly udpPort?: number;
}

export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'return' }
  /** To a chain that is not in the rule set: unknown. */
  | { readonly kind: 'jump' | 'goto'; readonly chain: string };

export interface Rule {
  /** Whether all conditions of the rule match. */
  readonly matches: (packets: Packets) => Tri;
  /** Undefined: the rule only counts or marks. */
  readonly verdict?: Verdict;
}

export interface Chain {
  readonly rules: readonly Rule[];
  /** Present in a base chain, which the kernel enters. */
  readonly base?: { readonly hook: string; readonly policy: 'accept' | 'drop' };
}

/** Chains of one table, by name. */
export type Chains = ReadonlyMap<string, Chain>;

type Fate = 'accept' | 'drop' | 'through';
/** `maybe`: an earlier rule may have accepted the packets. */
interface Walked {
  readonly fate: Fate;
  readonly maybe: boolean;
}

/** The deepest nesting of chains (the kernel's own limit). */
const maxDepth = 16;

/** Whether a base chain certainly drops such packets. */
export function drops(chains: Chains, name: string, packets: Packets): boolean {
  const chain = chains.get(name)!;
  if (chain.base?.hook !== packets.hook) return false;
  const { fate, maybe } = walk(chains, chain, packets, 0);
  return !maybe && (fate === 'drop' || (fate === 'through' && chain.base.policy === 'drop'));
}

function walk(chains: Chains, chain: Chain | undefined, packets: Packets, depth: number): Walked {
  if (chain === undefined || depth > maxDepth) return { fate: 'through', maybe: true };
  let maybe = false;
  for (const { matches, verdict } of chain.rules) {
    const isMet = matches(packets);
    if (isMet === false || verdict === undefined) continue;
    if (verdict.kind === 'jump' || verdict.kind === 'goto') {
      const inner = walk(chains, chains.get(verdict.chain), packets, depth + 1);
      if (inner.maybe || (isMet === undefined && inner.fate === 'accept')) maybe = true;
      if (isMet === true && inner.fate !== 'through') return { fate: inner.fate, maybe };
      if (isMet === true && verdict.kind === 'goto') return { fate: 'through', maybe };
    } else if (isMet === undefined) {
      // If it may drop them, no certain obstacle can be named; if it may accept them, there is no obstacle.
      if (verdict.kind !== 'drop') maybe = true;
    } else {
      return { fate: verdict.kind === 'return' ? 'through' : verdict.kind, maybe };
    }
  }
  return { fate: 'through', maybe };
}

/** Whether all are true. */
export function every(values: readonly Tri[]): Tri {
  if (values.includes(false)) return false;
  return values.includes(undefined) ? undefined : true;
}

export function not(value: Tri): Tri {
  return value === undefined ? undefined : !value;
}

/** `pattern`: a name, or a prefix of names followed by `wildcard`. */
export function isNamed(name: string | undefined, pattern: string, wildcard: string): Tri {
  if (name === undefined) return undefined;
  return pattern.endsWith(wildcard) ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

export function rangeOfPrefix(prefix: Prefix): AddressRange {
  return { first: prefix.base, last: prefix.base + sizeOf(prefix) - 1 };
}

/** Whether all of the addresses are in the range (true), none (false) or some (undefined). */
export function isWithin(addresses: Prefix | undefined, { first, last }: AddressRange): Tri {
  if (addresses === undefined) return first === 0 && last === 0xffffffff ? true : undefined;
  const asked = rangeOfPrefix(addresses);
  if (first <= asked.first && asked.last <= last) return true;
  return asked.last < first || last < asked.first ? false : undefined;
}

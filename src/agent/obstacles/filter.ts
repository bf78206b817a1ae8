/** What becomes of a packet in a chain of filter rules, as far as it can be told: pure. */
import { type Prefix, sizeOf } from '../../model/address.ts';

/** Undefined: it cannot be told. */
export type Tri = boolean | undefined;

/** What is known of the packets that are looked at. */
export interface Packets {
  readonly hook: 'input' | 'forward' | 'output';
  /** Interfaces by which they come in and go out; undefined: any. */
  readonly in?: string;
  readonly out?: string;
  readonly source?: Prefix;
  readonly destination?: Prefix;
  /** UDP packets to this port; without it of any protocol. */
  readonly udpPort?: number;
}

export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'return' }
  /** To a chain that is none of the rule set's: unknown. */
  | { readonly kind: 'jump' | 'goto'; readonly chain: string };

export interface Rule {
  /** Of all its conditions together. */
  readonly matches: (packets: Packets) => Tri;
  /** Undefined: it only counts or marks. */
  readonly verdict?: Verdict;
}

export interface Chain {
  readonly rules: readonly Rule[];
  /** Of one that the kernel enters. */
  readonly base?: { readonly hook: string; readonly policy: 'accept' | 'drop' };
}

/** Chains of one table, by name. */
export type Chains = ReadonlyMap<string, Chain>;

type Fate = 'accept' | 'drop' | 'through';
/** `maybe`: a rule before may have accepted them. */
interface Walked {
  readonly fate: Fate;
  readonly maybe: boolean;
}

/** Chains do not call each other deeper than that (the kernel's own limit). */
const maxDepth = 16;

/** Whether a base chain drops such packets for certain. */
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
      // What may drop them is no obstacle that can be named; what may let them through is none at all.
      if (verdict.kind !== 'drop') maybe = true;
    } else {
      return { fate: verdict.kind === 'return' ? 'through' : verdict.kind, maybe };
    }
  }
  return { fate: 'through', maybe };
}

/** All of them. */
export function every(values: readonly Tri[]): Tri {
  if (values.includes(false)) return false;
  return values.includes(undefined) ? undefined : true;
}

export function not(value: Tri): Tri {
  return value === undefined ? undefined : !value;
}

/** `pattern`: a name, or the beginning of names with `wildcard` behind it. */
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

/** Whether all of the addresses are in the range, or none; undefined where some are. */
export function isWithin(addresses: Prefix | undefined, { first, last }: AddressRange): Tri {
  if (addresses === undefined) return first === 0 && last === 0xffffffff ? true : undefined;
  const asked = rangeOfPrefix(addresses);
  if (first <= asked.first && asked.last <= last) return true;
  return asked.last < first || last < asked.first ? false : undefined;
}

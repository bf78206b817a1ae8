/**
 * Finds what a slice has on a node, by the marks that its policy gives it: the one meaning of "something is installed".
 * Pure.
 */
import type { Policy } from './policy.ts';

/** Everything that a node has, whoever made it. */
export interface Marks {
  readonly interfaces: readonly string[];
  readonly namespaces: readonly string[];
  readonly rules: readonly RuleMark[];
  /** Names of nftables tables. */
  readonly filters: readonly string[];
}

export interface RuleMark {
  readonly priority: number;
  readonly table: string;
  /** The rule in words, for messages. */
  readonly words: string;
}

/** Returns the name of the slice's nftables table. */
export function filterTable({ interfacePrefix }: Pick<Policy, 'interfacePrefix'>): string {
  return `pl-vnm-${interfacePrefix}tunnels`;
}

/** Returns the name of the namespace that is made to try what the kernel can do; it is not a router's. */
export function probeNamespace({ namespacePrefix }: Pick<Policy, 'namespacePrefix'>): string {
  return `${namespacePrefix}probe`;
}

export function isRouterNamespace(policy: Pick<Policy, 'namespacePrefix'>, name: string): boolean {
  return name.startsWith(policy.namespacePrefix) && name !== probeNamespace(policy);
}

/** Lists what is installed, by kind and name: `interface pv0qw-e0g`. */
export function installedOf(policy: Policy, { interfaces, namespaces, rules, filters }: Marks): string[] {
  const named = (kind: string, names: readonly string[]) => names.toSorted().map((name) => `${kind} ${name}`);
  const isOwnRule = ({ priority, table }: RuleMark) =>
    priority === policy.rulePriority && table === String(policy.table);
  return [
    ...named(
      'interface',
      interfaces.filter((name) => name.startsWith(policy.interfacePrefix)),
    ),
    ...named(
      'namespace',
      namespaces.filter((name) => isRouterNamespace(policy, name)),
    ),
    ...rules.filter(isOwnRule).map(({ words }) => `rule ${words}`),
    ...named(
      'filter',
      filters.filter((name) => name === filterTable(policy)),
    ),
  ];
}

export function isInstalled(policy: Policy, marks: Marks): boolean {
  return installedOf(policy, marks).length > 0;
}

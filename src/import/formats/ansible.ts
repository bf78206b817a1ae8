/** Ansible inventories: YAML, and the JSON of `ansible-inventory --list`, which dynamic inventories print, too. */
import type { Part } from '../part.ts';
import { Inventory, type Variables } from './ansible-groups.ts';
import type { Reading, TreeFormat } from './format.ts';

const title = 'Ansible inventory';

export const ansibleYaml: TreeFormat = {
  title,
  fits: (root) =>
    root.isMap() && !root.has('_meta') && groupsOf(root).every(isGroup) && groupsOf(root).some(hasContent),
  read: (root) => {
    const inventory = new Inventory(root.file);
    for (const [name, group] of root.entries('GROUP')) readGroup(inventory, name, group);
    return reading(inventory);
  },
};

function groupsOf(root: Part): Part[] {
  return root.entries('GROUP').map(([, group]) => group);
}

function isGroup(group: Part): boolean {
  if (group.value === null) return true;
  return group.isMap() && [...(group.value as Map<unknown, unknown>).keys()].some((key) => groupKeys.has(String(key)));
}

const groupKeys = new Set(['hosts', 'vars', 'children']);

function hasContent(group: Part): boolean {
  return group.isMap();
}

function readGroup(inventory: Inventory, name: string, part: Part): void {
  const group = inventory.group(name);
  for (const [variable, value] of variablesOf(part.get('vars'))) group.vars.set(variable, value);
  for (const [pattern, vars] of part.get('hosts')?.entries('HOST') ?? []) {
    inventory.addHosts(name, pattern, vars.position, variablesOf(vars));
  }
  for (const [child, content] of part.get('children')?.entries('GROUP') ?? []) {
    group.children.add(child);
    readGroup(inventory, child, content);
  }
}

export const ansibleList: TreeFormat = {
  title,
  fits: (root) => root.get('_meta')?.get('hostvars') !== undefined,
  read: (root) => {
    const inventory = new Inventory(root.file);
    const hostVars = new Map(root.get('_meta')!.get('hostvars')!.entries('HOST'));
    for (const [name, part] of root.entries('GROUP')) {
      if (name === '_meta') {
        part.get('profile');
        continue;
      }
      const group = inventory.group(name);
      // An old form of dynamic inventories: the hosts are the group.
      const hosts = Array.isArray(part.value) ? part.items() : part.all('hosts');
      for (const host of hosts) inventory.addHosts(name, host.text(), host.position, new Map());
      for (const child of part.all('children')) {
        inventory.group(child.text());
        group.children.add(child.text());
      }
      for (const [variable, value] of variablesOf(part.get('vars'))) group.vars.set(variable, value);
    }
    for (const [host, vars] of hostVars) inventory.addHosts('all', host, vars.position, variablesOf(vars));
    return reading(inventory);
  },
};

function reading(inventory: Inventory): Reading {
  const nodes = inventory.nodes();
  return { content: { nodes }, remarks: inventory.remarks };
}

/** Variables with their texts; those whose values are maps or lists have no text that a host could use. */
function variablesOf(part: Part | undefined): Variables {
  const pairs = part?.entries('VARIABLE') ?? [];
  return new Map(
    pairs.map(([name, value]) => {
      const isScalar = value.value === null || typeof value.value !== 'object';
      const text = value.value === null ? '' : isScalar ? value.text() : '';
      if (!isScalar) value.skip();
      return [name, { text, position: value.position }] as const;
    }),
  );
}

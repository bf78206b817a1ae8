import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { updateSlice } from '../../src/import/index.ts';
import { parseSlice } from '../../src/slicefile/index.ts';

const slice = `# My slice.
slice: campus
vnet: 10.80.0.0/16

ssh: { user: vnm }   # on all nodes
substrate:
  nodes:
    # In the north.
    north: { host: 192.0.2.1 } # old machine
    south:
      host: '192.0.2.2'  # rented
      patience: 30

    west: {}
  latency: {links: [[north,south, 25]]}
vn:
  name: Campus
  routers: [a,   b]
  links: [[a, b]]
placements:
  initial: { a: north, b: south }
  final: {a: west, b: south}
`;

function update(inventory: string, text = slice) {
  return updateSlice([{ file: 'hosts', text: inventory }], { file: 'campus.yaml', text });
}

describe('an update', () => {
  it('changes addresses and logins, adds nodes, and leaves all else as it is written', () => {
    const inventory =
      '[all]\nnorth ansible_host=198.51.100.1 ansible_user=vnm\nsouth ansible_host=192.0.2.2 ansible_user=root ansible_port=2222\nwest ansible_host=198.51.100.3\neast ansible_host=198.51.100.4 ansible_ssh_private_key_file="~/my keys/k"\n';
    const { text, changes } = update(inventory);
    expect(text).toBe(
      slice
        .replace('north: { host: 192.0.2.1 }', 'north: { host: 198.51.100.1 }')
        .replace('      patience: 30\n', '      patience: 30\n      user: root\n      port: 2222\n')
        .replace(
          '    west: {}\n',
          '    west: { host: 198.51.100.3 }\n    east: { host: 198.51.100.4, key: "~/my keys/k" }\n',
        ),
    );
    expect(changes.map(({ node, what, text: words }) => `${what} ${node}: ${words}`)).toEqual([
      'changed north: host 192.0.2.1 -> 198.51.100.1',
      'changed south: user root, port 2222',
      'changed west: host 198.51.100.3',
      'added east: 198.51.100.4',
    ]);
  });

  it('sets a login and a port that are as usual, since the SSH configuration may have others', () => {
    const inventory = '[all]\nwest ansible_host=192.0.2.3 ansible_user=root ansible_port=22\n';
    const { text } = update(inventory, slice.replace('ssh: { user: vnm }   # on all nodes\n', ''));
    expect(text).toContain('    west: { host: 192.0.2.3, user: root, port: 22 }\n');
    expect(update(inventory, text).text).toBe(text);
  });

  it('says which nodes the inventory does not have, and keeps them', () => {
    const { text, changes } = update('[all]\nnorth ansible_host=192.0.2.1\n');
    expect(text).toBe(slice);
    expect(changes.map(({ node, what }) => `${what} ${node}`)).toEqual(['kept south', 'kept west']);
  });

  it('a second update with the same inventory changes nothing', () => {
    const inventory = '[all]\nnorth ansible_host=198.51.100.1 ansible_port=2200\neast ansible_host=198.51.100.4\n';
    const once = update(inventory).text;
    expect(update(inventory, once).text).toBe(once);
  });

  it('adds nodes to a map on one line, and to one at the end of a file', () => {
    const inline =
      'slice: s\nvnet: 10.80.0.0/16\nsubstrate: { nodes: { n1: {} } }\nvn: { name: v, routers: [r] }\nplacements: { initial: { r: n1 } }\n';
    expect(update('[all]\nn1 ansible_host=192.0.2.1\nn2 ansible_host=2001:db8::2\n', inline).text).toBe(
      inline.replace('{ n1: {} }', '{ n1: { host: 192.0.2.1 }, n2: { host: "2001:db8::2" } }'),
    );
    const last =
      'slice: s\nvnet: 10.80.0.0/16\nvn: { name: v, routers: [r] }\nplacements: { initial: { r: n1 } }\nsubstrate:\n  nodes:\n    n1:\n      host: 192.0.2.1';
    expect(update('[all]\nn1 ansible_host=192.0.2.9 ansible_user=me\nn2 ansible_host=192.0.2.2\n', last).text).toBe(
      `${last.replace('192.0.2.1', '192.0.2.9')}\n      user: me\n    n2: { host: 192.0.2.2 }`,
    );
  });

  it('refuses a file with faults, and one that would have faults', () => {
    expect(() => update('[all]\nnorth\n', slice.replace('b: south }', 'b: soth }'))).toThrow(
      "the slice file has faults:\ncampus.yaml:21:27: placements.initial.b: unknown node 'soth' (did you mean 'south'?)",
    );
    expect(() => update('[all]\nnorth ansible_host=10.80.0.7\n')).toThrow(
      "the updated slice file would have faults:\ncampus.yaml:9:20: substrate.nodes.north.host: overlapping subnets: the host of node 'north' is inside vnet 10.80.0.0/16",
    );
  });

  it('refuses a node that is an alias', () => {
    const aliased = slice
      .replace('north: { host: 192.0.2.1 }', 'north: &n { host: 192.0.2.1 }')
      .replace('west: {}', 'west: *n');
    expect(() =>
      update('[all]\nwest ansible_host=192.0.2.3\n', aliased.replace('host: 192.0.2.1', 'patience: 5')),
    ).toThrow('campus.yaml: substrate.nodes.west is an alias');
  });

  it('refuses a topology', () => {
    expect(() => update('a[0]="A"\n')).toThrow('hosts: a topology has no hosts for an update');
  });
});

/** A slice file whose nodes are written in one of several ways. */
const written = fc
  .record({
    nodes: fc.uniqueArray(fc.constantFrom('n1', 'n2', 'n3', 'n4', 'n5'), { minLength: 1 }),
    styles: fc.array(fc.constantFrom('flow', 'block', 'empty', 'comment', 'quoted'), { minLength: 5, maxLength: 5 }),
    isInline: fc.boolean(),
    end: fc.constantFrom('\n', '', '\n\n# end\n'),
  })
  .map(({ nodes, styles, isInline, end }) => {
    const host = (index: number) => `192.0.2.${index + 1}`;
    const forms: Record<string, (index: number) => string> = {
      flow: (index) => `{ host: ${host(index)}, port: 2200 }`,
      block: (index) => `\n      host: ${host(index)}\n      user: me`,
      empty: () => '{}',
      comment: (index) => `\n      # about it\n      host: ${host(index)} # here\n\n      patience: 20 # slow`,
      quoted: (index) => `{"host": '${host(index)}'}`,
    };
    const inlineForm = (index: number) => (styles[index] === 'empty' ? '{ }' : forms.quoted!(index));
    const substrate = isInline
      ? `substrate: { nodes: { ${nodes.map((name, index) => `${name}: ${inlineForm(index)}`).join(', ')} } }`
      : `substrate:\n  nodes:\n${nodes.map((name, index) => `    ${name}: ${forms[styles[index]!]!(index)}`).join('\n')}`;
    return `slice: s\nvnet: 10.80.0.0/16\nvn: { name: v, routers: [r] }\nplacements: { initial: { r: ${nodes[0]} } }\n${substrate}${end}`;
  });

const inventory = fc
  .uniqueArray(fc.constantFrom('n1', 'n2', 'n3', 'n6', 'n7'), { minLength: 1 })
  .chain((names) =>
    fc.tuple(
      ...names.map((name, index) =>
        fc
          .record({
            last: fc.constantFrom(10, 20),
            user: fc.constantFrom('', 'me', 'you', 'null'),
            port: fc.constantFrom('', '22', '2200'),
          })
          .map(({ last, user, port }) => {
            const variables = [
              `ansible_host=198.51.100.${last + index}`,
              user && `ansible_user=${user}`,
              port && `ansible_port=${port}`,
            ];
            return `${name} ${variables.filter((one) => one !== '').join(' ')}`;
          }),
      ),
    ),
  )
  .map((lines) => `[all]\n${lines.join('\n')}\n`);

describe('any update', () => {
  it('leaves lines without changes as they are, sets every host, and keeps VNs and placements', () => {
    fc.assert(
      fc.property(written, inventory, (text, hosts) => {
        const before = parseSlice(text, 'slice.yaml');
        const { text: after, slice: updated } = update(hosts, text);
        expect(updated.vns).toEqual(before.vns);
        for (const [, name, host, user] of hosts.matchAll(/^(n\d) ansible_host=(\S+)(?: ansible_user=(\S+))?/gm)) {
          expect(updated.nodes.get(name!)!.host).toBe(host);
          if (user !== undefined) expect(updated.nodes.get(name!)!.user ?? 'root').toBe(user);
        }
        for (const [name, node] of before.nodes) {
          if (!hosts.includes(`${name} `)) expect(updated.nodes.get(name)).toEqual(node);
        }
        for (const comment of text.match(/#.*/g) ?? []) expect(after).toContain(comment);
        expect(update(hosts, after).text).toBe(after);
      }),
      { numRuns: 80 },
    );
  });
});

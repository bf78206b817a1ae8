/** The data planes of a slice's nodes. */
import { expect, it } from 'vitest';
import { parseSlice } from '../../src/slicefile/index.ts';
import { changed, faultsOf } from './support/faults.ts';

const nodes = '    n1: {}\n    n2: {}\n    gw1: {}\n    gw2: {}\n    h1: {}\n    h2: {}\n';
const names = ['n1', 'n2', 'gw1', 'gw2', 'h1', 'h2'];

/** The good file with a host for each node, and these words about some of them. */
function withHosts(more: Readonly<Record<string, string>>): string {
  const lines = names.map((name) => `    ${name}: { host: ${name}.example.org${more[name] ?? ''} }\n`);
  return changed(nodes, lines.join(''));
}

it('a slice names the data plane of all its nodes with a host, and a node its own', () => {
  const text = withHosts({}).replace('substrate:', 'dataplane: userspace\nsubstrate:');
  const slice = parseSlice(text, 'two.yaml');
  expect([...slice.nodes.values()].map(({ dataplane }) => dataplane)).toEqual(names.map(() => 'userspace'));
  const own = parseSlice(
    withHosts(Object.fromEntries(names.map((name) => [name, ', dataplane: userspace']))),
    'two.yaml',
  );
  expect([...own.nodes.values()].map(({ dataplane }) => dataplane)).toEqual(names.map(() => 'userspace'));
});

it('a node without a host is left to the testbed', () => {
  const text = changed('substrate:', 'dataplane: userspace\nsubstrate:');
  expect([...parseSlice(text, 'two.yaml').nodes.values()].every((node) => !('dataplane' in node))).toBe(true);
});

it('a VN over nodes with different data planes is a fault', () => {
  expect(faultsOf(withHosts({ n2: ', dataplane: userspace' }))).toEqual([
    expect.stringMatching(
      /^two\.yaml:\d+:\d+: .*VN 'two' uses node 'gw1' with the kernel data plane and node 'n2' with the userspace data plane \(give all nodes of a VN the same dataplane\)$/,
    ),
  ]);
});

it('an unknown data plane is a fault', () => {
  expect(faultsOf(withHosts({ n1: ', dataplane: click' }))).toEqual([
    expect.stringContaining(
      "substrate.nodes.n1.dataplane: unknown data plane 'click' (kernel (Linux, root) or userspace",
    ),
  ]);
});

/** Forwards of end hosts. */
import { expect, it } from 'vitest';
import { parseSlice } from '../../src/slicefile/index.ts';
import { changed, faultsOf, goodFile } from './support/faults.ts';

const [e1, e2] = ['e1: { node: h1, gateway: west', 'e2: { node: h2, gateway: east'] as const;

/** The good file with forwards of its end hosts. */
function withForwards(ofE1: string, ofE2?: string): string {
  const text = changed(`${e1} }`, `${e1}, forward: [${ofE1}] }`);
  return ofE2 === undefined ? text : text.replace(`${e2} }`, `${e2}, forward: [${ofE2}] }`);
}

/** With a host for each node. */
function withHosts(text: string, slice = ''): string {
  const hosted = text.replace(/^ {4}(\w+): \{\}$/gm, '    $1: { host: $1.example.org }');
  return hosted.replace('substrate:', `${slice}substrate:`);
}

it('a forward leads a port to a port of another end host, by default the same', () => {
  const text = withHosts(
    withForwards('{ port: 5353, to: e2, toPort: 53 }, { port: 6000, to: e2 }'),
    'dataplane: userspace\n',
  );
  expect(parseSlice(text, 'two.yaml').vns[0]!.endHosts).toEqual([
    {
      name: 'e1',
      node: 'h1',
      gateway: 'west',
      forwards: [
        { port: 5353, to: 'e2', toPort: 53 },
        { port: 6000, to: 'e2', toPort: 6000 },
      ],
    },
    { name: 'e2', node: 'h2', gateway: 'east' },
  ]);
  expect(parseSlice(withForwards(''), 'two.yaml')).toEqual(parseSlice(goodFile, 'two.yaml'));
});

it('two forwards may lead to one port of an end host', () => {
  expect(faultsOf(withForwards('{ port: 5353, to: e2, toPort: 53 }, { port: 5354, to: e2, toPort: 53 }'))).toEqual([]);
});

it('on hosts of their own, two end hosts may have forwards at the same port', () => {
  const both = withForwards('{ port: 5353, to: e2, toPort: 53 }', '{ port: 5353, to: e1, toPort: 53 }');
  expect(faultsOf(withHosts(both, 'dataplane: userspace\n'))).toEqual([]);
  expect(faultsOf(both)).toEqual([
    expect.stringMatching(
      /endHosts\.e2\.forward\[0\]\.port: end host 'e1' already has a forward at port 5353 of the local testbed, whose nodes share 127\.0\.0\.1 \(give each forward its own port\)$/,
    ),
  ]);
});

it.each([
  ['{ port: 5353, to: e3 }', "forward[0].to: unknown end host 'e3' (known end hosts: e1, e2)"],
  ['{ port: 5353, to: e1 }', "forward[0].to: forward of end host 'e1' to itself"],
  ['{ port: 53, to: e2 }', 'forward[0].port: 53 is too small'],
  ['{ port: 5353, to: e2, toPort: 65536 }', 'forward[0].toPort: 65536 is too big'],
  ['{ port: 5353 }', "'to' is missing"],
  [
    '{ port: 5353, to: e2, toPort: 53 }, { port: 5353, to: e2, toPort: 54 }',
    "forward[1].port: end host 'e1' already has a forward at port 5353 of the local testbed",
  ],
])('forward: [%s] is a fault', (forward, fault) => {
  expect(faultsOf(withForwards(forward))).toEqual([expect.stringContaining(fault)]);
});

it('a port where a forward listens is no port to deliver at', () => {
  const loop = withForwards('{ port: 6000, to: e2, toPort: 7000 }', '{ port: 7000, to: e1, toPort: 6000 }');
  expect(faultsOf(withHosts(loop, 'dataplane: userspace\n'))).toEqual([
    expect.stringContaining("port 7000 of end host 'e2' is where a forward of end host 'e2' listens, on node 'h2'"),
    expect.stringContaining("port 6000 of end host 'e1' is where a forward of end host 'e1' listens, on node 'h1'"),
  ]);
  expect(faultsOf(withForwards('{ port: 6000, to: e2 }'))).toEqual([
    expect.stringContaining(
      "port 6000 of end host 'e2' is where a forward of end host 'e1' listens, on the local testbed",
    ),
  ]);
  expect(faultsOf(withHosts(withForwards('{ port: 6000, to: e2 }'), 'dataplane: userspace\n'))).toEqual([]);
});

it('nodes with the kernel data plane have no forwards', () => {
  expect(faultsOf(withHosts(withForwards('{ port: 6000, to: e2 }')))).toEqual([
    expect.stringMatching(
      /endHosts\.e1\.forward: node 'h1' has the kernel data plane, which has no forwards \(on the kernel data plane programs use/,
    ),
  ]);
});

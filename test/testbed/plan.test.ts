import { describe, expect, test } from 'vitest';
import type { Slice } from '../../src/model/slice.ts';
import { planTestbed } from '../../src/testbed/plan.ts';
import { sliceOf } from './support.ts';

function plan(...slices: Slice[]) {
  return planTestbed(slices, 'ab12', 'embedded');
}

describe('planTestbed', () => {
  test('planTestbed merges the nodes of slices by name, each with a policy for every slice that uses it', () => {
    const one = sliceOf(['b', 'a'], [], { name: 'one', number: 1 });
    const two = sliceOf(['b', 'c'], [], { name: 'two', number: 2 });
    const { nodes } = plan(one, two);
    expect(nodes.map(({ name, policies }) => [name, policies.map(({ slice }) => slice)])).toEqual([
      ['a', ['one']],
      ['b', ['one', 'two']],
      ['c', ['two']],
    ]);
  });

  test('without latencies tunnels go to the node itself, with latencies to its address at the relay', () => {
    const direct = plan(sliceOf(['a', 'b']));
    expect([direct.latency, direct.nodes.map((node) => node.address)]).toEqual(['none', ['198.18.1.1', '198.18.1.2']]);
    const delayed = plan(sliceOf(['a', 'b'], [['a', 'b', 5]]));
    expect([delayed.latency, delayed.nodes.map((node) => [node.underlay, node.address])]).toEqual([
      'relay',
      [
        ['198.18.1.1', '198.19.1.1'],
        ['198.18.1.2', '198.19.1.2'],
      ],
    ]);
  });

  test('the latency of a pair comes from a slice that has both nodes, or is zero', () => {
    const one = sliceOf(['a', 'b'], [['a', 'b', 5]]);
    const two = sliceOf(['b', 'c'], [], { latency: { defaultMs: 10, linksMs: new Map() } });
    expect(plan(one, two).delaysMs).toEqual([
      [0, 5, 0],
      [5, 0, 10],
      [0, 10, 0],
    ]);
  });

  test('the two directions of a link may differ', () => {
    const linksMs = new Map([
      ['a', new Map([['b', 3]])],
      ['b', new Map([['a', 4]])],
    ]);
    expect(plan(sliceOf(['a', 'b'], [], { latency: { defaultMs: 1, linksMs } })).delaysMs).toEqual([
      [0, 3],
      [4, 0],
    ]);
  });

  test('a policy has the ids of its slice’s number', () => {
    expect(plan(sliceOf(['a'], [], { number: 2 })).nodes[0]?.policies[0]).toMatchObject({
      slice: 'test',
      vnet: '10.65.0.0/16',
      interfacePrefix: 'pv002-',
      namespacePrefix: 'ptab12-a.test_',
      table: 50_002,
      rulePriority: 10_002,
      nexthops: { first: 131_072, last: 196_607 },
      vnis: { first: 8192, last: 12_287 },
      operations: ['*'],
    });
  });

  test('nodes with a host are left out', () => {
    const nodes = new Map([
      ['a', { name: 'a' }],
      ['real', { name: 'real', host: 'node1.example.org' }],
    ]);
    expect(plan(sliceOf([], [], { nodes })).nodes.map((node) => node.name)).toEqual(['a']);
  });

  test('slices that contradict each other are refused', () => {
    const one = sliceOf(['a', 'b'], [['a', 'b', 5]], { name: 'one' });
    const two = sliceOf(['a', 'b'], [['a', 'b', 6]], { name: 'two' });
    expect(() => plan(one, two)).toThrow(
      expect.objectContaining({
        code: 'conflict',
        message: "the latency from 'a' to 'b' is 5 ms in slice 'one' and 6 ms in slice 'two'",
        hint: 'declare the same latencies between shared nodes in all slices of a testbed',
      }),
    );
  });

  test('a testbed without nodes, with too many, or with too long names is refused', () => {
    expect(() => plan(sliceOf([]))).toThrow(
      expect.objectContaining({ code: 'invalid-input', message: 'no slice has a node for the local testbed' }),
    );
    expect(() => plan(sliceOf(Array.from({ length: 1001 }, (_, index) => `n${index}`)))).toThrow(
      expect.objectContaining({
        code: 'invalid-input',
        message: '1001 nodes are too many for a local testbed (at most 1000)',
      }),
    );
    const [node, slice] = ['n'.repeat(32), 's'.repeat(32)];
    expect(() => plan(sliceOf([node], [], { name: slice }))).toThrow(
      expect.objectContaining({
        code: 'invalid-input',
        message: `node '${node}' cannot have a policy for slice '${slice}'`,
        hint: 'choose shorter names: on a local testbed the two together may have 53 characters',
      }),
    );
  });
});

/** What commands about paths refuse before they ask a relay. The records name a directory that does not exist. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Slice } from '../../../src/model/slice.ts';
import { changeLink, listLinks } from '../../../src/testbed/links/manage.ts';
import type { LinkChange } from '../../../src/testbed/links/properties.ts';
import type { Testbed } from '../../../src/testbed/record.ts';
import { temporaryStore } from '../../support/temporary-store.ts';
import { sliceOf } from '../support.ts';

describe('a change of a path', () => {
  let database: ReturnType<typeof temporaryStore>;
  beforeAll(() => {
    database = temporaryStore();
    add(localSlice('delayed'), 'relay');
    add(localSlice('direct'), 'none');
    database.store.slices.save(localSlice('absent'));
    database.store.slices.save({ ...sliceOf(['a', 'b'], [], { name: 'real', number: 9 }), nodes: hosts('a', 'b') });
  });
  afterAll(() => database.remove());

  function localSlice(name: string): Slice {
    const nodes = new Map([...sliceOf(['a', 'b']).nodes, ...hosts('far')]);
    return { ...sliceOf(['a', 'b'], [], { name, number: name.length }), nodes };
  }

  function hosts(...names: string[]): Slice['nodes'] {
    return new Map(names.map((name) => [name, { name, host: `${name}.example.net` }]));
  }

  function add(slice: Slice, latency: Testbed['latency']): void {
    const id = slice.name.slice(0, 5);
    const directory = `/nowhere/${slice.name}`;
    const kind = { server: 'embedded', dataplane: 'userspace' } as const;
    const testbed: Testbed = { id, directory, ...kind, nodes: [], knownHosts: '', latency };
    database.store.slices.save(slice);
    database.store.testbeds.add(id, directory);
    database.store.testbeds.saveRecord(id, testbed, [slice.name]);
  }

  it.each<[string, string, string, string, string, string]>([
    ['delayed', 'a', 'x', 'not-found', "slice 'delayed' has no node 'x'", 'its nodes are a, b, far'],
    [
      'delayed',
      'far',
      'b',
      'conflict',
      "node 'far' of slice 'delayed' is a real one: it has a host",
      'only paths between nodes of a local testbed can be changed or listed',
    ],
    [
      'delayed',
      'a',
      'b',
      'failed',
      'the relay of the testbed in /nowhere/delayed does not answer',
      'run pl-vnm testbed up with the same slice files again; take a testbed of an earlier version down before',
    ],
    [
      'direct',
      'a',
      'b',
      'conflict',
      "testbed 'direc' has no relay, since its slices declare no latency",
      'take it down, and run pl-vnm testbed up with --relay',
    ],
    [
      'absent',
      'a',
      'b',
      'not-found',
      "no testbed is running for slice 'absent'",
      'run pl-vnm testbed up with its slice file',
    ],
    [
      'real',
      'a',
      'b',
      'conflict',
      "slice 'real' is on real nodes: all of them have a host",
      'only paths between nodes of a local testbed can be changed or listed',
    ],
  ])('in slice %s from %s to %s is refused as %s: %s', async (name, from, to, code, message, hint) => {
    const slice = database.store.slices.find(name)!;
    const change: LinkChange = { from, to, isOneWay: false, reset: true, set: {} };
    await expect(changeLink(database.store, slice, change)).rejects.toMatchObject({ code, message, hint });
  });

  it('is no more possible than a list without a testbed', () => {
    const slice = database.store.slices.find('absent')!;
    expect(() => listLinks(database.store, slice, [])).toThrow("no testbed is running for slice 'absent'");
  });
});

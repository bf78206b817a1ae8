import { describe, expect, it } from 'vitest';
import { forget, listNodes, parseHost } from '../../src/controller/agent-list.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { openStore } from '../../src/store/store.ts';
import { gallery } from '../support/slices.ts';

describe('parseHost', () => {
  it.each([
    ['root@10.0.0.1', { host: '10.0.0.1', user: 'root' }],
    ['me@node.example.org:2222', { host: 'node.example.org', port: 2222, user: 'me' }],
    ['node.example.org', { host: 'node.example.org' }],
    ['me@host', { host: 'host', user: 'me' }],
    ['me@example.org@host', { host: 'host', user: 'me@example.org' }],
    ['host:22', { host: 'host', port: 22 }],
    ['[2001:db8::1]:2222', { host: '2001:db8::1', port: 2222 }],
    ['me@2001:db8::1', { host: '2001:db8::1', user: 'me' }],
    ['fe80::1%eth0', { host: 'fe80::1%eth0' }],
  ])('parseHost reads %s', (word, target) => {
    expect(parseHost(word)).toEqual({ node: target.host, ...target });
  });

  it.each(['host', 'me@', '@host', 'host:x', 'host:0', 'host:65536', 'a b.c'])('parseHost refuses %s', (word) => {
    expect(parseHost(word)).toBeUndefined();
  });
});

describe('a word that names nodes', () => {
  const store = openStore(':memory:');
  const context = { store, acceptNewHostKeys: false, report: () => undefined };
  const options = { nodes: [] };

  it('a word that names nothing is refused', async () => {
    await expect(listNodes(context, ['offfice'], options)).rejects.toMatchObject({
      code: 'not-found',
      message: "'offfice' is neither a slice file nor a slice or node in :memory:",
      hint: 'write a host as user@host',
    });
    store.slices.save(readSlice(gallery('two-node')));
    await expect(listNodes(context, ['offfice'], options)).rejects.toMatchObject({
      hint: 'write a host as user@host; the slices are two',
    });
  });

  it('forgetting a slice that is not in the database requires the names of nodes', async () => {
    await expect(forget(context, 'inner', [], options)).rejects.toMatchObject({
      code: 'not-found',
      message: ":memory: has no slice 'inner', so its nodes are unknown",
      hint: 'name the nodes: pl-vnm agent forget inner NODE...',
    });
    await expect(forget(context, 'a;b', ['root@10.0.0.1'], options)).rejects.toMatchObject({ code: 'usage' });
  });
});

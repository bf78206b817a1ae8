import { describe, expect, it } from 'vitest';
import { installAgents, mergePolicy, refuseOverlap } from '../../src/controller/agent-install.ts';
import { defaultPolicy } from '../../src/controller/nodes/agents.ts';
import { parsePrefix } from '../../src/model/address.ts';
import type { Slice } from '../../src/model/slice.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';

const slice: Slice = { ...readSlice(gallery('two-node')), name: 'one', number: 1 };
const policy = defaultPolicy(slice);

describe('the policy of an installation', () => {
  it('a first installation gets the default policy with the given options', () => {
    expect(mergePolicy(policy, [], { limits: {} })).toEqual(policy);
    expect(mergePolicy(policy, [], { limits: { routes: 5 }, operations: ['vroute'] })).toEqual({
      ...policy,
      operations: ['vroute'],
      limits: { ...policy.limits, routes: 5 },
    });
  });

  it('an update keeps what was allowed before and takes the rest from the slice file', () => {
    const before = { ...policy, vnet: '10.9.0.0/16', operations: ['vroute'], limits: { ...policy.limits, routes: 5 } };
    expect(mergePolicy(policy, [before], { limits: { armed: 1 } })).toEqual({
      ...policy,
      operations: ['vroute'],
      limits: { ...policy.limits, routes: 5, armed: 1 },
    });
  });

  it('a policy that shares something with another slice is refused', () => {
    const other = { name: 'other', number: 2, vnet: parsePrefix('10.99.0.0/16') };
    const nextTo = (changes: Partial<Slice>) => [policy, defaultPolicy({ ...slice, ...other, ...changes })];
    expect(() => refuseOverlap('n1', policy, nextTo({}))).not.toThrow();
    const shared = (changes: Partial<Slice>, what: string) =>
      expect(() => refuseOverlap('n1', policy, nextTo(changes))).toThrow(
        expect.objectContaining({
          code: 'conflict',
          message: `node 'n1': slices 'one' and 'other' would share ${what}`,
          hint: 'give one of them another vnet or number in its slice file',
        }),
      );
    shared({ vnet: parsePrefix('10.64.128.0/17') }, 'addresses (10.64.0.0/16 and 10.64.128.0/17)');
    shared({ number: 1 }, 'interface names (pv001-)');
    const large = { ...slice, vns: [{ ...slice.vns[0]!, links: Array(300).fill(slice.vns[0]!.links[0]!) }] };
    expect(() => refuseOverlap('n1', defaultPolicy(large), nextTo({}))).toThrow(
      "slices 'one' and 'other' would share nexthop ids (131072 to 196607)",
    );
    expect(() => refuseOverlap('n1', defaultPolicy(large), nextTo({ number: 3 }))).not.toThrow();
  });
});

describe('an installation', () => {
  const context = { acceptNewHostKeys: false, report: () => undefined };
  const admin = { nodes: [], adminUser: 'root', limits: {} };

  it.each([
    [{ nodes: ['nosuch'] }, 'not-found', "slice 'one' has no substrate node 'nosuch'"],
    [{ nodes: ['n1'] }, 'usage', "node 'n1' of slice 'one' has no host: it is for the local testbed"],
    [{ limits: { route: 1 } }, 'usage', "unknown limit 'route'"],
    [{ operations: ['reboot'] }, 'usage', "unknown operation 'reboot'"],
    [
      { limits: { routes: 1.5 } },
      'usage',
      'invalid limit: limits are whole numbers of at least 0; only trafficBps may have a fraction',
    ],
  ])('an installation with %j is refused', async (options, code, message) => {
    await expect(installAgents(context, slice, { ...admin, ...options })).rejects.toMatchObject({ code, message });
  });
});

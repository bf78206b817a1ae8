/** When a routing daemon that has moved counts as recovered, and what its neighbours noticed. */
import { expect, it } from 'vitest';
import { countChanges } from '../../src/agent/daemons/bird-state.ts';
import { countChanges as countFrrChanges } from '../../src/agent/daemons/frr-state.ts';
import { missingIn } from '../../src/controller/migration/recovered.ts';

const adjacency = (address: string, isUp: boolean) =>
  ({ protocol: 'ospf', address, state: isUp ? 'Full/PtP' : 'Init', isUp }) as const;
const before = { adjacencies: [adjacency('10.0.0.1', true), adjacency('10.0.0.3', false)], routes: { ospf: 4 } };

it('a daemon lacks neighbours that it had and routes that it had', () => {
  expect(missingIn({ adjacencies: [adjacency('10.0.0.1', false)], routes: { ospf: 3 } }, before)).toEqual([
    'its neighbour 10.0.0.1 is in state Init',
    'it has 3 of 4 routes from ospf',
  ]);
  expect(missingIn({ adjacencies: [], routes: { ospf: 4 } }, before)).toEqual([
    'its neighbour 10.0.0.1 is in state Down',
  ]);
  expect(missingIn({ adjacencies: [adjacency('10.0.0.1', true)], routes: { ospf: 5 } }, before)).toEqual([]);
});

it('after an interrupted move every neighbour must be up', () => {
  expect(missingIn({ adjacencies: [adjacency('10.0.0.1', false)], routes: {} }, undefined)).toEqual([
    'its neighbour 10.0.0.1 is in state Init',
  ]);
});

it('changes of adjacencies are counted by neighbour', () => {
  const line = (id: string) => `2026-01-01 <TRACE> ospf1: Neighbor ${id} on eth0 changed state from Full to Init\n`;
  expect(countChanges(`${line('0.1.0.1')}${line('0.1.0.2')}other\n${line('0.1.0.1')}`)).toEqual({
    '0.1.0.1': 2,
    '0.1.0.2': 1,
  });
  const frr = { neighbors: { '0.1.0.1': [{ stateChangeCounter: 3 }, { stateChangeCounter: 4 }], '0.1.0.2': [{}] } };
  expect(countFrrChanges(JSON.stringify(frr))).toEqual({ '0.1.0.1': 7, '0.1.0.2': 0 });
});

import { expect, test } from 'vitest';
import { baselineOf, optionsOf } from '../../src/controller/migration/journal.ts';
import { asBefore, carriesMore } from '../../src/controller/migration/proof.ts';
import type { MigrationRecord } from '../../src/store/migrations.ts';
import { temporaryStore } from '../support/temporary-store.ts';

/** `+`: by packets, `e`: only by an echo, `-`: not. */
const reached = (text: string) =>
  [...text].map((letter) => ({
    reachable: letter !== '-',
    ...(letter === 'e' ? { provenBy: 'echo' as const } : {}),
  }));

test.each([
  ['++', '+-', true],
  ['+-', '--', true],
  ['++', '++', false],
  ['--', '--', false],
  ['+-', '++', false],
  // It has gained one pair and lost another, so it is not better.
  ['+-', '-+', false],
  ['', '', false],
  ['+', 'e', true],
  ['e', '-', true],
  ['e', 'e', false],
  ['e', '+', false],
  ['e+', '-e', true],
])('an instance with pairs %s carries more than one with %s: %s', (ones, others, more) => {
  expect(carriesMore(reached(ones), reached(others))).toBe(more);
});

const pair = { from: 'e1', to: 'e2', sent: 3, received: 3, reachable: true };
const echoed = { ...pair, received: 0, provenBy: 'echo' } as const;
const narrow = { ...pair, lostBytes: 1500, carriesBytes: 1354, stopsAt: 'between gateway g1 and router a on n3' };
const other = { from: 'e2', to: 'e1' };

test.each([
  ['by packets reaches as much as before', pair, { byEcho: [] }, true],
  ['only by an echo reaches less than by packets', echoed, { byEcho: [other] }, false],
  [
    'only by an echo reaches as much as before if it was only an echo',
    echoed,
    { byEcho: [{ from: 'e1', to: 'e2' }] },
    true,
  ],
  ['only by an echo reaches enough if an earlier version did not record how it was proven', echoed, {}, true],
  ['without packets of full size reaches less', narrow, { byEcho: [] }, false],
  ['not at all reaches less', { ...pair, reachable: false }, { byEcho: [pair] }, false],
])('a pair that is proven %s', (_, seen, before, reachable) => {
  expect(asBefore(seen, { unproven: [], ...before })).toMatchObject({ from: 'e1', to: 'e2', reachable });
});

test('a pair that reaches less than before has the place where its packets stop', () => {
  expect(asBefore(echoed, { unproven: [], byEcho: [] }).stopsAt).toBe(
    'before e2, which still answers echo requests: probably at a firewall',
  );
  expect(asBefore(narrow, { unproven: [] }).stopsAt).toBe(
    'between gateway g1 and router a on n3 with packets of 1500 bytes (1354 bytes get through)',
  );
});

test('the journal keeps the baseline of the pairs with the options, and reads records of earlier versions', () => {
  const options = {
    control: 'gateway',
    schedule: 'optimal',
    granularity: 'gateway',
    traffic: false,
  } as const;
  const { store, remove } = temporaryStore();
  const start = { slice: 's', vn: 'v', from: 'initial', to: 'final', control: 'gateway', schedule: 'optimal' };
  const id = store.migrations.start({
    ...start,
    urpf: 'feasible',
    urpfBefore: 'feasible',
    options: JSON.stringify({ to: 'final', ...options }),
    oldInstance: 1,
  });
  expect(baselineOf(store.migrations.find(id)!)).toEqual({ unproven: [] });
  const baseline = { unproven: [other], byEcho: [{ from: 'e1', to: 'e2' }], narrow: [] };
  store.migrations.progress(id, { baseline });
  store.migrations.progress(id, { drainMs: 10 });
  const record = store.migrations.find(id)!;
  expect(baselineOf(record)).toEqual(baseline);
  expect(optionsOf(record)).toEqual({ ...options, method: 'instance' });
  expect(record.drainMs).toBe(10);
  const earlier: Pick<MigrationRecord, 'options'> = { options: JSON.stringify({ ...options, unproven: [other] }) };
  expect(baselineOf(earlier)).toEqual({ unproven: [other] });
  remove();
});

import { expect, it } from 'vitest';
import { migrationParts } from '../../src/cli/migration-text.ts';
import { methodNamed } from '../../src/controller/migration/methods/index.ts';
import { type MigrationOptions, usualOptions } from '../../src/controller/migration/options.ts';
import type { GuestMove } from '../../src/controller/migration/types.ts';

const refuse = (options: Partial<MigrationOptions>) => () =>
  methodNamed(options.method).refuse({ ...usualOptions, ...options });

it.each([
  [{ method: 'clone', schedule: 'drain' }, 'method clone redirects no gateway, so it has no --schedule drain'],
  [{ method: 'live', parallel: 2 }, 'method live moves guests one after the other, so it has no --parallel'],
  [
    { method: 'clone', holdControl: true },
    'method clone moves guests one after the other, so it has no --hold-control',
  ],
  [{ method: 'live', suspend: true }, 'method live copies a guest that runs, so it has no --suspend'],
  [{ method: 'vroom', suspend: true }, 'method vroom copies no guest, so it has no --suspend'],
  [{ method: 'instance', suspend: true }, 'method instance copies no guest, so it has no --suspend'],
] as const)('refuses %j', (options, message) => {
  expect(refuse(options)).toThrow(message);
});

it('clones with and without suspending, and moves live', () => {
  expect(refuse({ method: 'clone' })).not.toThrow();
  expect(refuse({ method: 'clone', suspend: true })).not.toThrow();
  expect(refuse({ method: 'live' })).not.toThrow();
});

it('reports the times of a guest next to the formulas of the paper', () => {
  const guest: GuestMove = {
    router: 'r',
    from: 'n1',
    to: 'n2',
    way: 'clone',
    memoryMib: 96,
    bytes: 85_000_000,
    sentBytes: 30_000_000,
    cloneMs: 506,
    moveMs: 1200,
    restoreMs: 37,
    switchMs: 61,
    freezeMs: 33,
    formula: { cloneMs: 227, moveMs: 4026 },
  };
  const [text] = migrationParts({
    moves: [],
    fromRecord: [],
    phases: [],
    redirections: [],
    flows: [],
    guests: [guest],
  });
  expect(text!.split('\n')).toEqual([
    'how the guests moved',
    'router  way    t_clone ms  t_move ms  restore ms  switch ms  freeze ms',
    '------  -----  ----------  ---------  ----------  ---------  ---------',
    'r       clone         506       1200          37         61         33',
    'router  memory MiB  copy bytes  sent bytes  formula t_clone ms  formula t_move ms',
    '------  ----------  ----------  ----------  ------------------  -----------------',
    'r               96    85000000    30000000                 227               4026',
  ]);
});

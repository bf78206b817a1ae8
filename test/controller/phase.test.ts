/** The stage of a phase decides whether an instance may be taken down. */
import { expect, it } from 'vitest';
import { methodOf, phasesDone, stageOf } from '../../src/controller/base/phase.ts';
import { describeUnfinished } from '../../src/controller/base/unfinished.ts';
import type { MigrationRecord } from '../../src/store/migrations.ts';

it.each([
  ['add nodes', 'before'],
  ['measure', 'before'],
  ['redirect', 'redirecting'],
  ['drain', 'redirecting'],
  ['roll back', 'redirecting'],
  ['remove the new instance', 'before'],
  ['retire', 'retiring'],
])("the phase '%s' is in the stage '%s'", (phase, stage) =>
  expect(stageOf({ state: phase, options: '{}' })).toBe(stage),
);

it.each(['flip', 'completed', '', 'toString'])("the unknown phase '%s' is refused", (phase) => {
  expect(() => stageOf({ state: phase, options: '{}' })).toThrow(
    expect.objectContaining({
      code: 'unsupported',
      message: `the migration has the unknown phase '${phase}'`,
      hint: 'use the version of the program that started it',
    }),
  );
  const record = {
    slice: 'two',
    vn: 'two',
    from: 'initial',
    to: 'final',
    state: phase,
    options: '{}',
  } as MigrationRecord;
  expect(describeUnfinished(record)).toBe(
    `the migration of VN 'two' of slice 'two' from 'initial' to 'final' was interrupted (${phase}): this version does not know that phase`,
  );
});

it('an unknown method is refused, whatever the phase', () => {
  const begun = { state: 'redirect', options: '{"method":"teleport"}' };
  expect(() => stageOf(begun)).toThrow(
    expect.objectContaining({
      code: 'unsupported',
      message: "the migration has the unknown method 'teleport'",
    }),
  );
});

it.each([
  ['set up', 'before'],
  ['flip', 'redirecting'],
  ['retire', 'retiring'],
  ['remove the new place', 'before'],
])("the phase '%s' of a moving router is in the stage '%s'", (state, stage) =>
  expect(stageOf({ state, options: '{"method":"vroom"}' })).toBe(stage),
);

it('a migration of an earlier version has the method of that version', () => {
  expect(methodOf({ options: '{"schedule":"optimal"}' })).toBe('instance');
});

it('the phases that are done before one are counted, except where the number of all is unknown', () => {
  expect(phasesDone('instance', 'add nodes')).toEqual({ parts: 0, of: 11 });
  expect(phasesDone('instance', 'retire')).toEqual({ parts: 10, of: 11 });
  // What undoes a migration, and what is repeated for each router.
  for (const phase of ['roll back', 'remove the new instance']) expect(phasesDone('instance', phase)).toBeUndefined();
  expect(phasesDone('vroom', 'flip')).toBeUndefined();
});

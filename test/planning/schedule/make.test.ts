import { describe, expect, test } from 'vitest';
import { VnmError } from '../../../src/model/errors.ts';
import { noUncertainty } from '../../../src/planning/loss/uncertainty.ts';
import { makeSchedule, schedulesFor } from '../../../src/planning/schedule/make.ts';
import { offsetMs } from '../../../src/planning/schedule/offsets.ts';
import type { ScheduleRequest } from '../../../src/planning/schedule/types.ts';
import { flowOf } from '../arbitraries.ts';

/** Two groups of gateways that no flow connects, and a gateway without flows. */
const request: ScheduleRequest = {
  gateways: ['a', 'b', 'c', 'd', 'e', 'idle'],
  flows: [flowOf('a', 'b', 20, 60, 2), flowOf('e', 'a', 10, 30), flowOf('c', 'd', 100, 80), flowOf('a', 'a', 0, 0)],
  urpf: 'strict',
  granularity: 'gateway',
  uncertainty: noUncertainty,
};

describe('makeSchedule', () => {
  test('simultaneous puts all redirections at T', () => {
    const zeros = request.gateways.map((gateway) => [gateway, 0]);
    expect(makeSchedule('simultaneous', request)).toEqual({
      name: 'simultaneous',
      granularity: 'gateway',
      offsetsMs: new Map(zeros as [string, number][]),
      gates: new Map(),
    });
  });

  test('each group of gateways has its first redirection at T', () => {
    const { offsetsMs } = makeSchedule('heuristic', request);
    expect([...offsetsMs]).toEqual([
      ['a', 20],
      ['b', 60],
      ['c', 0],
      ['d', 90],
      ['e', 0],
      ['idle', 0],
    ]);
  });

  test('with redirection per remote gateway every ordered pair with a flow between has its instant', () => {
    const flows = [flowOf('a', 'b', 20, 60), flowOf('c', 'a', 10, 30)];
    const schedule = makeSchedule('heuristic', {
      ...request,
      gateways: ['a', 'b', 'c'],
      flows,
      granularity: 'peer',
    });
    expect(schedule.offsetsMs).toEqual(
      new Map([
        ['a', new Map(Object.entries({ b: 0, c: 20 }))],
        ['b', new Map(Object.entries({ a: 40 }))],
        ['c', new Map(Object.entries({ a: 0 }))],
      ]),
    );
    expect(offsetMs(schedule, 'c', 'b')).toBe(0);
  });

  test.each(['feasible', 'loose'] as const)('under %s uRPF no gateway waits, because nothing can be lost', (urpf) => {
    expect(schedulesFor(urpf)).toEqual(['simultaneous', 'heuristic', 'optimal', 'hold', 'drain']);
    for (const name of schedulesFor(urpf)) {
      const { offsetsMs } = makeSchedule(name, { ...request, urpf });
      expect([...offsetsMs.values()], name).toEqual([0, 0, 0, 0, 0, 0]);
    }
  });

  test('makeSchedule refuses hold under strict uRPF', () => {
    expect(schedulesFor('strict')).toEqual(['simultaneous', 'heuristic', 'optimal', 'drain']);
    const refusal = new VnmError('invalid-input', "schedule 'hold' loses packets in flight under strict uRPF", {
      hint: "use '--urpf feasible', or one of the schedules simultaneous, heuristic, optimal, drain",
    });
    expect(() => makeSchedule('hold', request)).toThrow(refusal);
  });

  test('makeSchedule refuses a flow with an impossible latency', () => {
    const flows = [flowOf('a', 'b', Number.NaN, 1)];
    expect(() => makeSchedule('optimal', { ...request, flows })).toThrow('flow host-a -> host-b: oldMs is NaN');
    const spread = [{ ...flowOf('a', 'b', 1, 1), newSpreadMs: Number.POSITIVE_INFINITY }];
    expect(() => makeSchedule('optimal', { ...request, flows: spread })).toThrow(
      'flow host-a -> host-b: newSpreadMs is Infinity',
    );
  });

  test('makeSchedule refuses a gateway with an impossible timing', () => {
    const timing = { clockMs: 1, latenessMs: Number.POSITIVE_INFINITY, gateLatenessMs: 1 };
    const uncertainty = new Map([['a', timing]]);
    expect(() => makeSchedule('optimal', { ...request, uncertainty })).toThrow("gateway 'a': latenessMs is Infinity");
  });
});

import { expect, it } from 'vitest';
import { underConditions } from '../../src/experiment/run/conditions.ts';

/** Three conditions, of which the second cannot be ended; notes what happens. */
function conditions() {
  const events: string[] = [];
  const setUp = (name: string, fault?: string) => async () => {
    events.push(`begin ${name}`);
    return async () => {
      events.push(`end ${name}`);
      if (fault !== undefined) throw new Error(fault);
    };
  };
  const onFault = (error: unknown) => void events.push(String(error));
  return { events, setUps: [setUp('one'), setUp('two', 'stuck'), () => undefined, setUp('three')], onFault };
}

const ended = ['end three', 'end two', 'Error: stuck', 'end one'];

it('ends every condition, and keeps what was measured, although one cannot be ended', async () => {
  const { events, setUps, onFault } = conditions();
  await expect(underConditions(setUps, async () => 'measured', onFault)).resolves.toBe('measured');
  expect(events).toEqual(['begin one', 'begin two', 'begin three', ...ended]);
});

it('keeps why the run failed, although a condition cannot be ended', async () => {
  const { events, setUps, onFault } = conditions();
  const body = () => Promise.reject(new Error('no migration'));
  await expect(underConditions(setUps, body, onFault)).rejects.toThrow('no migration');
  expect(events.slice(3)).toEqual(ended);
});

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { lateWriter } from '../../src/service/late-writer.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('the writer writes at once, and retries failed writes later, in order and once each', () => {
  const written: number[] = [];
  const failures: unknown[] = [];
  let isBusy = true;
  const writer = lateWriter((error) => failures.push(error));
  const write = (value: number) =>
    writer.write(() => {
      if (isBusy) throw new Error('database is locked');
      written.push(value);
    });
  write(1);
  write(2);
  expect([written, failures.length]).toEqual([[], 1]);
  vi.advanceTimersByTime(1000);
  expect([written, failures.length]).toEqual([[], 2]);
  isBusy = false;
  write(3);
  expect(written).toEqual([]);
  vi.advanceTimersByTime(1000);
  expect(written).toEqual([1, 2, 3]);
  write(4);
  expect(written).toEqual([1, 2, 3, 4]);
  vi.advanceTimersByTime(10_000);
  expect(written).toEqual([1, 2, 3, 4]);
});

it('the writer tries once more when it is closed, and not again', () => {
  let attempts = 0;
  const writer = lateWriter(() => {});
  writer.write(() => {
    attempts += 1;
    throw new Error('disk full');
  });
  writer.close();
  vi.advanceTimersByTime(10_000);
  expect(attempts).toBe(2);
});

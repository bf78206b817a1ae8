import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Progress } from '../../src/controller/base/context.ts';
import { openFolder } from '../../src/experiment/results/folder.ts';
import { lockFolder } from '../../src/experiment/results/lock.ts';
import { carryOutRuns, type Found } from '../../src/experiment/run/runner.ts';
import { VnmError } from '../../src/model/errors.ts';
import { changed, goodExperiment, newFolder, temporaryResults } from './support/files.ts';
import { begunIn, carryOutAll, fakeExecute, madeUp, rowsOf } from './support/runs.ts';

const signal = new AbortController().signal;

describe('a result folder', () => {
  it('appears complete, and reads as it was made', async () => {
    const results = temporaryResults();
    const folder = await newFolder(results, goodExperiment, { index: 2, count: 3 });
    expect(basename(folder.path)).toMatch(/^\d{8}T\d{6}Z-2of3$/);
    expect(readdirSync(join(results, 'good'))).toEqual([basename(folder.path)]);
    expect(readdirSync(folder.path).toSorted()).toEqual([
      ...['experiment.yaml', 'resolved.json', 'runs', 'schedule.csv', 'slice.yaml'],
    ]);
    expect(readFileSync(join(folder.path, 'experiment.yaml'), 'utf8')).toBe(goodExperiment);
    const again = openFolder(folder.path);
    expect(again.experiment).toEqual(folder.experiment);
    expect(again.share).toEqual(folder.share);
    expect(again.share.map(({ run }) => run)).toEqual([2, 5, 8, 11]);
    expect(rowsOf(folder, 'schedule.csv')).toHaveLength(12);
    expect(rowsOf(folder, 'schedule.csv')[0]).toMatchObject({ run: 1, repetition: 1, urpf: 'strict' });
  });

  it('has a later name if another one began in the same second', async () => {
    const results = temporaryResults();
    const [one, other] = await Promise.all([newFolder(results), newFolder(results)]);
    expect(one.path).not.toBe(other.path);
    expect(readdirSync(join(results, 'good'))).toHaveLength(2);
  });

  it('does not appear if it cannot be made', async () => {
    const results = join(temporaryResults(), 'file');
    writeFileSync(results, '');
    await expect(newFolder(results)).rejects.toMatchObject({
      code: 'failed',
      hint: expect.stringContaining('--results'),
    });
  });

  it('is not found elsewhere', () => {
    const results = temporaryResults();
    expect(() => openFolder(results)).toThrow(expect.objectContaining({ code: 'not-found' }));
  });

  it('is worked on by one process at a time', async () => {
    const { path } = await newFolder(temporaryResults());
    const unlock = lockFolder(path);
    expect(() => lockFolder(path)).toThrow(`process ${process.pid} on`);
    unlock();
    lockFolder(path)();
    expect(readdirSync(path)).not.toContain('lock.json');
  });

  it('is not locked by a process that has ended, but by one on another machine', async () => {
    const { path } = await newFolder(temporaryResults());
    const unlock = lockFolder(path);
    const file = join(path, 'lock.json');
    const holder = JSON.parse(readFileSync(file, 'utf8'));
    unlock();
    writeFileSync(file, JSON.stringify({ ...holder, processStart: 'another' }));
    lockFolder(path)();
    writeFileSync(file, JSON.stringify({ ...holder, host: 'elsewhere' }));
    expect(() => lockFolder(path)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining(`remove ${file}`) }),
    );
  });
});

describe('carrying out runs', () => {
  it('does every run once in the order of the schedule, and writes the tables', async () => {
    const folder = await newFolder(temporaryResults());
    const reported = await carryOutAll(folder);
    expect(begunIn(folder)).toEqual(folder.schedule.map(({ run }) => run));
    const rows = rowsOf(folder, 'samples.csv');
    const planned = rowsOf(folder, 'schedule.csv');
    expect(
      rows.map(({ run, combination, repetition, control, d_ms }) => ({ run, combination, repetition, control, d_ms })),
    ).toEqual(
      planned.map(({ run, combination, repetition, control, d_ms }) => ({
        run,
        combination,
        repetition,
        control,
        d_ms,
      })),
    );
    expect(rows.every(({ outcome }) => outcome === 'completed')).toBe(true);
    expect(rowsOf(folder, 'summary.csv')).toHaveLength(4);
    expect(rowsOf(folder, 'summary.csv')[0]).toMatchObject({ measure: 'lost_packets', n: 3, failed: 0 });
    expect(JSON.parse(readFileSync(join(folder.path, 'runs/0007/parameters.json'), 'utf8'))).toEqual({
      run: 7,
      combination: folder.schedule[6]!.combination.number,
      repetition: 2,
      parameters: expect.objectContaining({ urpf: 'strict', method: 'instance' }),
    });
    expect(readFileSync(join(folder.path, 'runs/0007/raw/output'), 'utf8')).toBe('of run 7\n');
    expect(reported[0]).toMatch(/^run 1\/12 \(control \w+, D \d+\) completed in \d.\d s; about \d.\d s left$/);
    expect(reported.at(-1)).toMatch(/; the last one$/);
  });

  it('reports after each run how many are done and how long the others take', async () => {
    const folder = await newFolder(temporaryResults());
    const shares: Progress['done'][] = [];
    const report = ({ done }: Progress) => void shares.push(done);
    await carryOutRuns(folder, fakeExecute(folder), { report, signal });
    expect(shares.map((share) => share?.parts)).toEqual(Array.from({ length: 12 }, (_, index) => index + 1));
    expect(shares[0]).toMatchObject({ of: 12, leftMs: expect.any(Number) });
    expect(shares[0]!.leftMs).toBeGreaterThan(0);
    expect(shares.at(-1)).toEqual({ parts: 12, of: 12, leftMs: 0 });
  });

  it('records a failed run, counts it, and goes on', async () => {
    const folder = await newFolder(temporaryResults());
    const failing = folder.schedule.find(({ combination }) => combination.number === 2)!.run;
    const failed: Found = { outcome: 'rolled-back', startedAt: null, error: 'no, "never"', values: {} };
    const reported = await carryOutAll(
      folder,
      fakeExecute(folder, (run) => (run === failing ? failed : madeUp(run))),
    );
    const rows = rowsOf(folder, 'samples.csv');
    expect(rows[failing - 1]).toMatchObject({ outcome: 'rolled-back', error: 'no, "never"', lost_packets: null });
    expect(rowsOf(folder, 'summary.csv').map(({ n, failed }) => [n, failed])).toEqual([
      ...[
        [3, 0],
        [2, 1],
        [3, 0],
        [3, 0],
      ],
    ]);
    expect(reported[failing - 1]).toMatch(/ rolled-back in \d+\.\d s: no, "never"; about /);
    // It counts as done.
    await carryOutAll(folder);
    expect(begunIn(folder)).toHaveLength(12);
  });

  it('goes on after an error that makes further runs impossible, without the run in which it happened', async () => {
    const folder = await newFolder(temporaryResults());
    const execute = fakeExecute(folder);
    const broken = carryOutRuns(
      folder,
      (planned, ...rest) => {
        if (planned.run === 5) throw new VnmError('unreachable', 'no node');
        return execute(planned, ...rest);
      },
      { report: () => {}, signal },
    );
    await expect(broken).rejects.toThrow('no node');
    expect(readdirSync(join(folder.path, 'runs'))).toEqual(['0001', '0002', '0003', '0004']);
    expect((await carryOutAll(openFolder(folder.path)))[0]).toBe('4 of 12 runs are done already');
    expect(begunIn(folder)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it('stops before the next run when it is interrupted', async () => {
    const folder = await newFolder(temporaryResults());
    const abort = new AbortController();
    const execute = fakeExecute(folder);
    const stopped = carryOutRuns(
      folder,
      (planned, ...rest) => {
        if (planned.run === 3) abort.abort(new Error('interrupted'));
        return execute(planned, ...rest);
      },
      { report: () => {}, signal: abort.signal },
    );
    await expect(stopped).rejects.toThrow('interrupted');
    expect(begunIn(folder)).toEqual([1, 2, 3]);
  });

  it('does a run again whose folder is half-done or cut off', async () => {
    const folder = await newFolder(temporaryResults());
    await carryOutAll(folder);
    mkdirSync(join(folder.path, 'runs/0013.partial'));
    writeFileSync(join(folder.path, 'runs/0004/sample.json'), '{"run": 4, "comb');
    await carryOutAll(folder);
    expect(begunIn(folder).slice(12)).toEqual([4]);
    expect(existsSync(join(folder.path, 'runs/0013.partial'))).toBe(false);
    expect(rowsOf(folder, 'samples.csv')).toHaveLength(12);
  });
});

describe('the stop rule', () => {
  const text = changed(
    'repetitions: 3',
    'repetitions: 40\nstop: { value: lost_packets, narrowerThan: 3%, atLeast: 8 }',
  );
  /** Combination 1 never varies, 2 and 3 do, 4 varies too much for the rule. */
  const spreads = [0, 5, 4, 60];

  it('skips the runs of a combination from when its interval is narrow enough', async () => {
    const folder = await newFolder(temporaryResults(), text);
    const combinationOf = (run: number) => folder.schedule[run - 1]!.combination.number;
    const found = (run: number): Found => {
      const usual = madeUp(run);
      const lost = 100 + (spreads[combinationOf(run) - 1]! * (usual.values.lost_packets! - 100)) / 5;
      return { ...usual, values: { lost_packets: lost } };
    };
    await carryOutAll(folder, fakeExecute(folder, found));
    const rows = rowsOf(folder, 'samples.csv');
    expect(rows).toHaveLength(160);
    const outcomes = (combination: number) =>
      rows.filter((row) => row.combination === combination).map(({ outcome }) => outcome);
    const completed = (combination: number) => outcomes(combination).filter((one) => one === 'completed').length;
    expect(completed(1)).toBe(8);
    expect(
      outcomes(1)
        .slice(8)
        .every((one) => one === 'skipped'),
    ).toBe(true);
    expect(completed(2)).toBeGreaterThan(8);
    expect(completed(2)).toBeLessThan(40);
    expect(completed(4)).toBe(40);
    for (const combination of [1, 2, 3]) {
      const { median, ci95_low, ci95_high, n } = rowsOf(folder, 'summary.csv').find(
        (row) => row.combination === combination,
      ) as Record<string, number>;
      expect(n).toBe(completed(combination));
      expect(ci95_high! - ci95_low!).toBeLessThan(0.03 * median!);
    }

    // Interrupted anywhere, it skips the same runs.
    const other = await newFolder(temporaryResults(), text);
    for (const stopAt of [5, 37, 38, 90]) {
      const execute = fakeExecute(other, found);
      const stopped = carryOutRuns(
        other,
        (planned, ...rest) => {
          if (planned.run >= stopAt) throw new Error('stopped');
          return execute(planned, ...rest);
        },
        { report: () => {}, signal },
      );
      await expect(stopped).rejects.toThrow('stopped');
    }
    await carryOutAll(other, fakeExecute(other, found));
    expect(rowsOf(other, 'samples.csv')).toEqual(rows);
  });

  it('does not count failed runs', async () => {
    const folder = await newFolder(temporaryResults(), text);
    const failed: Found = { outcome: 'failed', startedAt: null, error: 'no', values: { lost_packets: 100 } };
    await carryOutAll(
      folder,
      fakeExecute(folder, () => failed),
    );
    expect(begunIn(folder)).toHaveLength(160);
  });
});

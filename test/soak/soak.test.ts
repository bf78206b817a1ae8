/** Runs the service for two minutes; `npm run soak` runs it for an hour. */
import { expect, it } from 'vitest';
import { describeAsRoot } from '../support/privileges.ts';
import { cutNode, deleteTunnel, killAgent } from './incidents.ts';
import { soakReport } from './report.ts';
import { quarters } from './samples.ts';
import { soak } from './soak.ts';

describeAsRoot('the service', () => {
  it('the service moves a VN by a job, and repairs damage meanwhile', async () => {
    // Damage comes between two migrations: a migration repairs or undoes damage that comes during it.
    const strikes = [
      { atSeconds: 15, strike: killAgent('gateway') },
      { atSeconds: 45, strike: deleteTunnel },
      { atSeconds: 74, strike: cutNode(10_000) },
    ];
    const result = await soak({ minutes: 2, strikes }, () => {});
    const told = soakReport(result);
    expect(result.exitCode, told).toBe(0);
    expect(result.differences, told).toBe(0);
    expect(result.incidents.length, told).toBe(strikes.length);
    expect(result.jobRuns.completed ?? 0, told).toBeGreaterThan(0);
    for (const { isHurt, lost, duplicated } of result.stretches) {
      expect(duplicated, told).toBe(0);
      if (!isHurt) expect(lost, told).toBe(0);
    }
    expect(
      result.events.some(({ kind, message }) => kind === 'repaired' && message.includes('interface')),
      told,
    ).toBe(true);
    expect(
      result.events.some(({ kind }) => kind === 'agent-started'),
      told,
    ).toBe(true);
    const [early, , , late] = quarters(result.samples, 'open');
    expect(late, told).toBeLessThanOrEqual(early! + 20);
  }, 300_000);
});

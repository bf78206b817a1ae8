/** Tests the real timing thread, with lines that change nothing. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createArmed } from '../../src/agent/armed/armed.ts';
import { monotonicMs } from '../../src/agent/armed/time.ts';
import type { TimedAction } from '../../src/agent/armed/types.ts';
import type { ToolStep } from '../../src/agent/dataplane/kernel/actuator.ts';
import { endTool } from '../../src/agent/dataplane/kernel/silent-tools.ts';
import { environment } from '../../src/agent/run.ts';
import { startKernelTiming } from '../support/kernel-timing.ts';

const patience = { timeout: 20_000 };
/** Long enough to be armed in time on a busy machine, and longer than anything else takes. */
const soonMs = 500;
const neverMs = 3_600_000;

describe.runIf(process.platform === 'linux')('armed actions', () => {
  const armed = createArmed<string>(startKernelTiming, { armed: 4 });
  afterAll(() => armed.close());

  /** A line that is a comment to both tools. */
  const nothing = '# nothing\n';
  let ids = 0;

  function action(inMs: number, lines: readonly string[] = [nothing], tool: ToolStep['tool'] = 'ip'): TimedAction {
    return { atMonotonicMs: monotonicMs() + inMs, step: { tool, lines } satisfies ToolStep };
  }

  /** Returns its id. */
  async function arm(...actions: TimedAction[]): Promise<string> {
    ids += 1;
    const id = `id-${ids}`;
    await armed.arm(id, actions, `context of ${id}`);
    return id;
  }

  const stateOf = (id: string) => armed.find(id).outcome.state;

  async function done(id: string) {
    await expect.poll(() => stateOf(id), patience).not.toBe('armed');
    return armed.find(id).outcome;
  }

  it('an armed action begins at its instant and never before, with `ip` and with `tc`', async () => {
    await armed.lag(1);
    const onlyShown = { atMonotonicMs: monotonicMs() + soonMs + 20 };
    const id = await arm(action(soonMs), action(soonMs + 10, [nothing], 'tc'), onlyShown);
    expect(armed.find(id)).toMatchObject({ outcome: { state: 'armed' }, context: `context of ${id}` });
    const { state, actions } = await done(id);
    expect(state).toBe('fired');
    for (const { plannedMonotonicMs, startedMonotonicMs, finishedMonotonicMs } of actions) {
      expect(startedMonotonicMs).toBeGreaterThanOrEqual(plannedMonotonicMs);
      expect(finishedMonotonicMs).toBeGreaterThanOrEqual(startedMonotonicMs!);
    }
  });

  it('actions can be armed, fire and be cancelled while others wait', async () => {
    const late = await arm(action(neverMs));
    const early = await arm(action(soonMs));
    const between = await arm(action(neverMs / 2));
    expect(armed.pending().map(({ id }) => id)).toEqual([late, early, between]);
    expect((await done(early)).state).toBe('fired');
    expect(await armed.cancel(between)).toBe('cancelled');
    expect(stateOf(late)).toBe('armed');
    expect(await armed.cancel(late)).toBe('cancelled');
    expect(armed.find(late).outcome.actions[0]!.startedMonotonicMs).toBeUndefined();
    expect(await armed.cancel(early)).toBe('fired');
    expect(await armed.cancel(late)).toBe('cancelled');
  });

  it('an armed action is cancelled or fires, never both, however late the cancel comes', async () => {
    const results = new Set<string>();
    for (const aheadMs of [1.5, 1, 0.7, 0.5, 0.3, 0.2, 0.1, 0, -0.1, -0.5]) {
      const id = await arm(action(soonMs));
      const cancelMs = armed.find(id).outcome.actions[0]!.plannedMonotonicMs - aheadMs;
      // During the thread's last wait and its spinning.
      while (monotonicMs() < cancelMs);
      const result = await armed.cancel(id);
      const { state, actions } = armed.find(id).outcome;
      expect(state).toBe(result);
      expect(actions[0]!.startedMonotonicMs === undefined).toBe(result === 'cancelled');
      results.add(result);
    }
    expect(results).toContain('fired');
  });

  it('a cancel applies to all actions of an id or none', async () => {
    const id = await arm(action(soonMs), action(soonMs + 100));
    await expect
      .poll(() => armed.find(id).outcome.actions[0]!.startedMonotonicMs, { ...patience, interval: 1 })
      .toBeDefined();
    expect(await armed.cancel(id)).toBe('fired');
    const { state, actions } = await done(id);
    expect(state).toBe('fired');
    expect(actions[1]!.startedMonotonicMs).toBeGreaterThanOrEqual(actions[1]!.plannedMonotonicMs);
  });

  it('several actions fire together', async () => {
    const at = action(soonMs);
    const together = await Promise.all([arm(at), arm(at), arm({ ...at, step: { tool: 'tc', lines: [nothing] } })]);
    for (const id of together) expect((await done(id)).state).toBe('fired');
  });

  it('a failed line is reported, and the next line and the next action follow', async () => {
    const id = await arm(
      action(soonMs, ['link set nosuch up\n', nothing]),
      action(soonMs + 10, ['qdisc del dev nosuch root\n'], 'tc'),
      action(soonMs + 20),
    );
    const { state, actions } = await done(id);
    expect(state).toBe('failed');
    expect(actions.map(({ error }) => error)).toEqual([
      'ip: Cannot find device "nosuch"',
      'tc: Cannot find device "nosuch"',
      undefined,
    ]);
  });

  it('arming is refused when it is too late, has a known id, or exceeds the limit', async () => {
    await expect(armed.arm('late', [action(-10)], '')).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringMatching(/^'late' is armed too late: its instant was \d+\.\d ms ago$/),
      hint: 'arm it at least 5 ms ahead',
    });
    expect(() => armed.find('late')).toThrow("nothing is or was armed as 'late' on this node");
    const armedIds: string[] = [];
    for (let count = 0; count < 4; count += 1) armedIds.push(await arm(action(neverMs)));
    await expect(arm(action(neverMs))).rejects.toMatchObject({
      code: 'forbidden',
      message: expect.stringMatching(/^'id-\d+' cannot be armed: at most 4 may be armed at a time on this node$/),
    });
    await expect(armed.arm(armedIds[0]!, [action(neverMs)], '')).rejects.toMatchObject({
      code: 'conflict',
      message: `'${armedIds[0]}' is or was armed already`,
    });
    for (const id of armedIds) expect(await armed.cancel(id)).toBe('cancelled');
  });

  it('arming is refused when the tool cannot start, or ends at once', async () => {
    const bin = mkdtempSync(join(tmpdir(), 'pl-vnm-bin-'));
    const { PATH } = environment;
    environment.PATH = bin;
    try {
      const refusal = { code: 'failed', message: expect.stringMatching(/^'.*' cannot be armed: /) };
      await expect(armed.arm('no mkfifo', [action(soonMs)], '', 1)).rejects.toMatchObject(refusal);
      symlinkSync(execFileSync('which', ['mkfifo'], { encoding: 'utf8' }).trim(), join(bin, 'mkfifo'));
      await expect(armed.arm('no tool', [action(soonMs)], '', 1)).rejects.toMatchObject(refusal);
      writeFileSync(join(bin, 'ip'), '#!/bin/sh\necho out of order >&2\n', { mode: 0o755 });
      await expect(armed.arm('ended', [action(soonMs)], '', 1)).rejects.toMatchObject({
        message: "'ended' cannot be armed: 'ip' ended: out of order",
      });
      expect(armed.pending()).toEqual([]);
    } finally {
      environment.PATH = PATH;
      rmSync(bin, { recursive: true });
    }
    expect((await done(await arm(action(soonMs)))).state).toBe('fired');
  });

  it('no process starts once everything was made ready for the same tools and names', async () => {
    const bin = mkdtempSync(join(tmpdir(), 'pl-vnm-bin-'));
    const { PATH } = environment;
    const started = join(bin, 'started');
    for (const tool of ['ip', 'tc', 'mkfifo']) {
      const path = execFileSync('which', [tool], { encoding: 'utf8' }).trim();
      writeFileSync(join(bin, tool), `#!/bin/sh\necho ${tool} >>${started}\nexec ${path} "$@"\n`, { mode: 0o755 });
    }
    environment.PATH = `${bin}:${PATH}`;
    const other = createArmed<string>(startKernelTiming, { armed: 4 });
    try {
      const actions = [action(neverMs), action(neverMs, [nothing], 'tc')];
      const steps = actions.map(({ step }) => step);
      await other.ready(steps, 7);
      const before = readFileSync(started, 'utf8');
      expect(before.split('\n').filter(Boolean).toSorted()).toEqual(['ip', 'mkfifo', 'mkfifo', 'tc']);
      await other.ready(steps, 7);
      await other.arm('a', actions, '', 7);
      expect(readFileSync(started, 'utf8')).toBe(before);
      expect(await other.cancel('a')).toBe('cancelled');
      await other.ready(steps, 8);
      expect(readFileSync(started, 'utf8')).not.toBe(before);
    } finally {
      environment.PATH = PATH;
      await other.close();
      rmSync(bin, { recursive: true });
    }
  });

  it('the thread does not wait for ever for a tool that does not answer', async () => {
    const stopped = await arm(action(soonMs));
    const pids = toolsOf(process.pid);
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    try {
      // Whether there is time left to do it is chance.
      expect((await done(stopped)).state).not.toBe('armed');
      expect((await done(await arm(action(soonMs)))).state).toBe('fired');
    } finally {
      // Without its end, the stopped tool would outlive everything else.
      for (const pid of toolsOf(process.pid)) if (pids.includes(pid)) endTool(pid);
    }
  });

  it('an armed id can be forgotten after it has fired', async () => {
    const id = await arm(action(neverMs));
    armed.forget(id);
    expect(stateOf(id)).toBe('armed');
    await armed.cancel(id);
    armed.forget(id);
    expect(() => armed.find(id)).toThrow(`nothing is or was armed as '${id}' on this node`);
    await expect(armed.cancel(id)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('the lag can be measured while something is armed', async () => {
    const id = await arm(action(neverMs));
    const lagMs = await armed.lag(5);
    expect(lagMs).toHaveLength(5);
    for (const ms of lagMs) expect(ms).toBeGreaterThanOrEqual(0);
    expect(await armed.cancel(id)).toBe('cancelled');
    expect(armed.pending()).toEqual([]);
  });

  it('an armed action is reported as failed when its thread ends', async () => {
    const other = createArmed<undefined>(startKernelTiming, { armed: 4 });
    await other.arm('a', [action(neverMs)], undefined);
    await other.close();
    expect(other.find('a').outcome).toMatchObject({ state: 'failed', actions: [{ error: 'the timing thread ended' }] });
    expect(await other.cancel('a')).toBe('cancelled');
  });
});

/** Returns the waiting tools that this process has started. */
function toolsOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`)
    .flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
    .filter((child) => ['ip', 'tc'].includes(readFileSync(`/proc/${child}/comm`, 'utf8').trim()));
}

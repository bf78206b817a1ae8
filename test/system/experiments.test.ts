/** Experiments on testbeds of their own, as users run them. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCsv, type Row } from '../../src/experiment/table.ts';
import { openStore } from '../../src/store/store.ts';
import { type CommandLine, commandLine } from '../support/command-line.ts';
import { describeWithProgram } from '../support/programs.ts';
import { gallery } from '../support/slices.ts';
import { leftovers } from '../testbed/leftovers.ts';

interface Printed {
  readonly folder: string;
  readonly runs: Record<'planned' | 'completed' | 'failed' | 'skipped', number>;
}

let vnm: CommandLine;
beforeAll(() => {
  vnm = commandLine();
});
afterAll(() => vnm.remove());

/** Writes an experiment file with the two-node slice. Returns its name. */
function file(name: string, text: string): string {
  writeFileSync(join(vnm.directory, `${name}.yaml`), `experiment: ${name}\nslice: ${gallery('two-node')}\n${text}`);
  return `${name}.yaml`;
}

const folderOf = (name: string) => {
  const [start, ...others] = readdirSync(join(vnm.directory, 'results', name));
  expect(others).toEqual([]);
  return join(vnm.directory, 'results', name, start!);
};

const rowsIn = (folder: string, name: string): readonly Row[] =>
  parseCsv(readFileSync(join(folder, name), 'utf8'), name).rows;

/** The testbeds that the experiment's own database has. */
function testbedsOf(folder: string) {
  const store = openStore(join(folder, '.state/pl-vnm.db'));
  try {
    return store.testbeds.list();
  } finally {
    store.close();
  }
}

async function until(isThere: () => boolean): Promise<void> {
  while (!isThere()) await sleep(20);
}

const drawn = `
figures:
  - { name: loss, title: Loss, kind: scatter, from: flows, x: d_real_ms, y: lost_ms, model: { kind: loss } }
`;

describe('an experiment on a userspace testbed', () => {
  const text = `testbed: userspace\nrepetitions: 2\nfixed: { urpf: strict }\nvary: { D: [0, 200] }${drawn}`;

  it('goes on after SIGKILL in a redirection: every run is there once, and nothing of the killed one is left', async () => {
    const name = file('killed', text);
    const running = vnm.start('experiment run', name);
    await running.said('- run 1/4');
    const folder = folderOf('killed');
    const events = join(folder, 'runs/0002.partial/events.jsonl');
    await until(() => existsSync(events) && readFileSync(events, 'utf8').includes('"redirect"'));
    running.kill();
    await running.finished;
    const [testbed] = testbedsOf(folder);
    expect(leftovers(testbed!)).not.toEqual([]);
    const schedule = readFileSync(join(folder, 'schedule.csv'), 'utf8');
    const first = readFileSync(join(folder, 'runs/0001/sample.json'), 'utf8');

    const { runs } = await vnm.ok<Printed>('experiment resume', folder);
    expect(runs).toEqual({ planned: 4, completed: 4, failed: 0, skipped: 0 });
    expect(readFileSync(join(folder, 'schedule.csv'), 'utf8')).toBe(schedule);
    expect(readFileSync(join(folder, 'runs/0001/sample.json'), 'utf8')).toBe(first);
    expect(readdirSync(join(folder, 'runs')).toSorted()).toEqual(['0001', '0002', '0003', '0004']);
    expect(leftovers(testbed!)).toEqual([]);
    expect(readdirSync(folder)).not.toContain('.state');
    expect(readdirSync(folder)).not.toContain('lock.json');

    const samples = rowsIn(folder, 'samples.csv');
    expect(samples.map(({ run, outcome }) => [run, outcome])).toEqual([1, 2, 3, 4].map((run) => [run, 'completed']));
    for (const run of ['0001', '0002', '0003', '0004']) {
      const planned = JSON.parse(readFileSync(join(folder, 'runs', run, 'parameters.json'), 'utf8')).parameters.d_ms;
      const [flow] = rowsIn(folder, `runs/${run}/flows.csv`);
      expect(flow).toMatchObject({ from: 'e1', to: 'e2', from_gateway: 'g1', to_gateway: 'g2', rate_bps: 1_500_000 });
      expect(flow!.d_planned_ms).toBeCloseTo(planned, 3);
      // About 240 ms on the old instance, and 160 ms on the new one.
      expect(flow!.old_latency_ms).toBeGreaterThan(flow!.new_latency_ms as number);
      expect(rowsIn(folder, `runs/${run}/redirections.csv`).map(({ gateway }) => gateway)).toEqual(['g1', 'g2']);
    }
    // Two processes worked on it.
    const { sessions } = JSON.parse(readFileSync(join(folder, 'environment.json'), 'utf8'));
    expect(sessions).toHaveLength(2);
    expect(sessions[1]).toMatchObject({ testbed: { dataplane: 'userspace' }, nodes: expect.any(Array) });

    const svg = join(folder, 'figures/loss.svg');
    const before = readFileSync(svg);
    await vnm.ok('experiment plot', folder);
    expect(readFileSync(svg).equals(before)).toBe(true);
    expect(await vnm.ok('experiment compare', folder, folder)).toMatchObject({ varied: ['d_ms'] });
    // There is nothing left to do.
    expect(await vnm.ok<Printed>('experiment resume', folder)).toMatchObject({ runs: { completed: 4 } });
  });

  it('after Ctrl-C says how to go on, and leaves nothing on the machine', async () => {
    const running = vnm.start('--json experiment run', file('interrupted', text));
    await running.said('- run 1/4');
    const folder = folderOf('interrupted');
    const [testbed] = testbedsOf(folder);
    running.interrupt();
    const { code, stdout } = await running.finished;
    expect(code).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({
      error: {
        code: 'interrupted',
        hint: expect.stringMatching(/^run pl-vnm experiment resume results\/interrupted\//),
      },
    });
    expect(leftovers(testbed!)).toEqual([]);
    expect(readdirSync(folder)).not.toContain('.state');
    expect(readdirSync(join(folder, 'runs')).filter((name) => name.includes('partial'))).toEqual([]);
    expect(rowsIn(folder, 'samples.csv').length).toBe(readdirSync(join(folder, 'runs')).length);
  });
});

describe('runs without a migration', () => {
  it('send the flows of their VN, and lose nothing', async () => {
    const text = `experiment: stays\nslice: ${gallery('shared-nodes')}\ntestbed: userspace\nrepetitions: 1\nvn: red\n`;
    writeFileSync(join(vnm.directory, 'stays.yaml'), `${text}fixed: { method: none }\nvary: { vn: [red, blue] }\n`);
    const { folder, runs } = await vnm.ok<Printed>('experiment run', 'stays.yaml');
    expect(runs).toEqual({ planned: 2, completed: 2, failed: 0, skipped: 0 });
    const samples = rowsIn(join(vnm.directory, folder), 'samples.csv');
    expect(samples.map(({ vn }) => vn).toSorted()).toEqual(['blue', 'red']);
    for (const { sent_packets: sent, duration_ms: durationMs, ...counts } of samples) {
      // Two flows of 68 or 128 packets per second.
      expect(sent).toBeGreaterThan(500);
      expect([durationMs, counts.lost_packets, counts.phase_redirect_ms ?? null]).toEqual([5000, 0, null]);
    }
  });
});

describe('a run that fails', () => {
  it('is recorded, and the next run has a clean state', async () => {
    // Agents send no more than 1 Gb/s.
    const text = 'testbed: userspace\nrepetitions: 1\nvary: { rate: [50Gbps, 1Mbps] }\n';
    const { folder, runs } = await vnm.ok<Printed>('experiment run', file('failing', text));
    expect(runs).toEqual({ planned: 2, completed: 1, failed: 1, skipped: 0 });
    const samples = rowsIn(join(vnm.directory, folder), 'samples.csv');
    expect(samples.find(({ rate_bps }) => rate_bps === 50e9)).toMatchObject({
      outcome: expect.stringMatching(/rolled-back|failed/),
      error: expect.any(String),
    });
    expect(samples.find(({ rate_bps }) => rate_bps === 1e6)).toMatchObject({ outcome: 'completed' });
    expect(rowsIn(join(vnm.directory, folder), 'summary.csv')[0]).toMatchObject({ measure: 'duration_ms' });
  });
});

describeWithProgram('iperf3', 'an experiment with iperf3', () => {
  it('counts what iperf3 sent and received, and keeps what it printed', async () => {
    const text =
      'testbed: kernel\nrepetitions: 1\nfixed: { urpf: strict, D: 0 }\ntraffic: iperf3\ntrafficSeconds: 30\n';
    const { folder } = await vnm.ok<Printed>('experiment run', file('iperf', text));
    const [flow] = rowsIn(join(vnm.directory, folder, 'runs/0001'), 'flows.csv');
    const { sent_packets: sent, received_packets: received, lost_packets: lost } = flow as Record<string, number>;
    expect(received! + lost!).toBe(sent);
    // 1.5 Mb/s of 1470 bytes for 30 s; some are lost, since both gateways redirect at once.
    expect(sent).toBeGreaterThan(3000);
    expect(lost).toBeGreaterThan(0);
    expect(flow).toMatchObject({ longest_gap_ms: null, predicted_lost_packets: expect.any(Number) });
    expect(readdirSync(join(vnm.directory, folder, 'runs/0001/raw')).toSorted()).toEqual([
      ...['iperf3-e1-e2-client.json', 'iperf3-e1-e2-server.txt', 'migrate.json'],
    ]);
  });
});

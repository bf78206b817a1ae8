/** Experiments on a testbed, with few repetitions: figure 7, and the ways of redirecting that only experiments have. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { runExperiment } from '../../src/experiment/run-experiment.ts';
import { parseCsv } from '../../src/experiment/table.ts';
import { strictLossMs } from '../../src/planning/loss/strict.ts';
import { temporaryResults } from './support/files.ts';

const folder = fileURLToPath(new URL('../../experiments/', import.meta.url));
const slice = fileURLToPath(new URL('../../slices/two-node.yaml', import.meta.url));

/** Carries an experiment out, and returns its samples, redirections and folder. */
async function carriedOut(text: string) {
  const directory = temporaryResults();
  const file = join(directory, 'given.yaml');
  writeFileSync(file, text);
  const options = { acceptNewHostKeys: false, report: () => {}, signal: new AbortController().signal };
  const { folder: result } = await runExperiment(file, join(directory, 'results'), undefined, options);
  const read = (name: string) => parseCsv(readFileSync(join(result.path, name), 'utf8'), name).rows;
  const ofRuns = (name: string) =>
    readdirSync(join(result.path, 'runs')).flatMap((run) => read(join('runs', run, name)));
  return { path: result.path, samples: read('samples.csv'), flows: ofRuns('flows.csv'), ofRuns };
}

it('figure 7, with two differences, has its points on the curve, and a picture', async () => {
  const given = readFileSync(`${folder}figure-7.yaml`, 'utf8');
  const text = given
    .replace('repetitions: 2', 'repetitions: 1')
    .replace(/D: \[.*\]/, 'D: [-80, 400]')
    .replace('../slices/two-node.yaml', slice);
  const { path, samples, flows } = await carriedOut(text);
  expect(samples.map(({ outcome, error }) => [outcome, error])).toEqual([
    ['completed', null],
    ['completed', null],
  ]);
  for (const flow of flows) {
    const [oldMs, newMs] = [Number(flow.old_latency_ms), Number(flow.new_latency_ms)];
    const expected = strictLossMs({ oldMs, newMs, differenceMs: Number(flow.d_real_ms) });
    // The testbed's latencies vary a little, and a busy machine delays packets at the gateways.
    expect(Math.abs(Number(flow.lost_ms) - expected)).toBeLessThan(0.25 * expected);
  }
  expect(flows).toHaveLength(2);
  expect(existsSync(join(path, 'figures', 'loss-against-difference.svg'))).toBe(true);
  expect(existsSync(join(path, 'figures', 'whole-range.png'))).toBe(true);
});

it('redirects by SSH sessions over a slow channel, and with load at the gateways', async () => {
  const { samples, ofRuns } = await carriedOut(`experiment: ways
slice: ${slice}
testbed: kernel
repetitions: 1
fixed: { D: 100, latencyFactor: 0.1, urpf: strict, gatewayLoad: 1 }
combinations:
  - { control: fresh-ssh, controlDelayMs: 15, controlJitterMs: 5 }
  - { control: gateway }
`);
  expect(samples.map(({ outcome, error }) => [outcome, error])).toEqual([
    ['completed', null],
    ['completed', null],
  ]);
  const redirections = ofRuns('redirections.csv');
  expect(redirections.map(({ gateway }) => gateway)).toEqual(['g1', 'g2', 'g1', 'g2']);
  const slow = samples.find(({ control }) => control === 'fresh-ssh')!;
  const late = redirections.filter(({ run }) => run === slow.run).map(({ lag_ms: lag }) => Number(lag));
  // A session has at least four exchanges before its command, and every one waits for the channel both ways.
  for (const lag of late) expect(lag).toBeGreaterThan(4 * 2 * 15);
});

const hasAt = existsSync('/usr/sbin/atd');

it(`redirects by at${hasAt ? '' : ', which is refused without the Debian package'}`, async () => {
  const text = `experiment: at
slice: ${slice}
testbed: kernel
repetitions: 1
fixed: { control: at, D: 100, latencyFactor: 0.1, urpf: strict }
`;
  if (!hasAt) {
    await expect(carriedOut(text)).rejects.toMatchObject({ code: 'unsupported', hint: expect.stringContaining('at') });
    return;
  }
  const { path, samples, ofRuns } = await carriedOut(text);
  expect(samples.map(({ outcome, error }) => [outcome, error])).toEqual([['completed', null]]);
  const [first, second] = ofRuns('redirections.csv');
  expect(Number(first!.planned_unix_ms) % 60_000).toBe(0);
  expect(Number(second!.planned_unix_ms) - Number(first!.planned_unix_ms)).toBe(100);
  expect(readFileSync(join(path, 'runs', '0001', 'events.jsonl'), 'utf8')).toContain('at begins jobs at full minutes');
});

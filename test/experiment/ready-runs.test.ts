/** Experiments on a testbed, with few repetitions: figure 7, and the ways of redirecting that only experiments have. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { parseExperiment } from '../../src/experiment/file/parse.ts';
import { runExperiment } from '../../src/experiment/run-experiment.ts';
import { parseCsv } from '../../src/experiment/table.ts';
import { strictLossMs } from '../../src/planning/loss/strict.ts';
import { describeAsRootUnless } from '../support/privileges.ts';
import { describeWithCriu } from '../support/programs.ts';
import { lackForRouterImage, routerImage } from '../support/router-image.ts';
import { lackForSwitches } from '../support/switches.ts';
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

/** What is changed in a ready experiment so that it takes a minute: its parts by regular expressions. */
const shortForms: Record<string, readonly (readonly [RegExp, string])[]> = {
  'control-plane': [],
  'data-plane-impact': [[/packetRate: \[.*\]/, 'packetRate: [1000]']],
  'downtime-against-rate': [[/packetRate: \[.*\]/, 'packetRate: [500]']],
  'figure-7': [[/combinations:\n(?: {2}- .*\n)+/, 'combinations: [{ D: -80 }, { D: 400 }, { method: vroom }]\n']],
  // Other tests redirect by `at`, which takes a minute, and over a channel that is so slow.
  'figures-9-10': [
    [/ {2}- \{ control: at, .*\n/, ''],
    [/controlJitterMs: .*/, 'controlJitterMs: { gb: 20 }'],
    [/direction: \[forth, back\]/, 'direction: [back]'],
  ],
  'install-routes': [[/prefixes: \[.*\]/, 'prefixes: [100, 1000]']],
  methods: [],
  'openflow-xen': [
    [/ {2}- \{ vn: (machine|daemon|switch), method: none \}\n/g, ''],
    [/ {2}- \{ vn: machine, .*\n/, ''],
    [/packetRate: \[.*\]/, 'packetRate: [500]'],
  ],
  'table-1': [[/control: \[at, gateway\]/, 'control: [gateway]']],
  'vn-clone': [
    [/ {2}- \{ method: clone, suspend: true \}\n/, ''],
    [/ {2}- \{ method: none \}\n/, ''],
    [/memory: \[.*\]/, 'memory: [96]'],
    [/packetRate: \[.*\]/, 'packetRate: [500]'],
  ],
};

/** A ready experiment in its short form, each of its combinations once. */
function shortened(name: string, withSlice = (path: string) => path): string {
  const given = readFileSync(`${folder}${name}.yaml`, 'utf8');
  const sliceOf = (path: string) => fileURLToPath(new URL(path, new URL(`file://${folder}`)));
  const changes = [[/repetitions: \d+/, 'repetitions: 1'] as const, ...shortForms[name]!];
  const short = changes.reduce((text, [from, to]) => {
    expect(text).toMatch(from);
    return text.replace(from, to);
  }, given);
  return short.replace(/^slice: (.*)$/m, (_, path: string) => `slice: ${withSlice(sliceOf(path))}`);
}

it('there is a short form of every ready experiment', () => {
  const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  expect(Object.keys(shortForms).map((name) => `${name}.yaml`)).toEqual(names);
});

/** Carries out the short form of a ready experiment, which must complete and draw all its figures. */
async function drawn(name: string, withSlice?: (path: string) => string) {
  const done = await carriedOut(shortened(name, withSlice));
  expect(done.samples.map(({ outcome, error }) => [outcome, error])).toEqual(
    done.samples.map(() => ['completed', null]),
  );
  const given = join(done.path, 'experiment.yaml');
  const { figures } = parseExperiment(readFileSync(given, 'utf8'), given).experiment;
  const pictures = readdirSync(join(done.path, 'figures')).filter((picture) => picture.endsWith('.png'));
  expect(pictures).toEqual(figures.map((figure) => `${figure.name}.png`).toSorted());
  return done;
}

const checkedBelow = ['control-plane', 'figure-7', 'openflow-xen', 'vn-clone'];

it.each(Object.keys(shortForms).filter((name) => !checkedBelow.includes(name)))(
  '%s completes in its short form, and draws all its figures',
  async (name) => {
    await drawn(name);
  },
);

it('figure 7 has its points on the curve, and moving router by router loses hardly anything', async () => {
  const { samples, flows } = await drawn('figure-7');
  const methodOf = new Map(samples.map(({ run, method }) => [run, method]));
  for (const flow of flows) {
    if (methodOf.get(flow.run!) === 'vroom') {
      expect(flow.d_real_ms).toBeNull();
      // What the best difference loses.
      expect(Number(flow.lost_ms)).toBeLessThan(80);
      continue;
    }
    const [oldMs, newMs] = [Number(flow.old_latency_ms), Number(flow.new_latency_ms)];
    const expected = strictLossMs({ oldMs, newMs, differenceMs: Number(flow.d_real_ms) });
    // The testbed's latencies vary a little, and a busy machine delays packets at the gateways.
    expect(Math.abs(Number(flow.lost_ms) - expected)).toBeLessThan(0.25 * expected);
  }
  expect(flows).toHaveLength(3);
});

describeWithCriu('control-plane', () => {
  it('completes in each way, with the freeze and the events of each; the neighbours notice the cold restart', async () => {
    const { samples } = await drawn('control-plane');
    for (const { freeze_ms: freeze } of samples) expect(Number(freeze)).toBeGreaterThan(0);
    const cold = samples.find(({ control_plane: way }) => way === 'restart')!;
    expect(Number(cold.neighbour_events)).toBeGreaterThan(0);
  });
});

describeAsRootUnless(lackForRouterImage() ?? lackForSwitches(), 'virtual machines and switches', () => {
  /** A copy of a slice file, with the image of the tests. */
  const withImage = (path: string) => {
    const copy = join(temporaryResults(), 'compared.yaml');
    writeFileSync(copy, readFileSync(path, 'utf8').replaceAll('../../router.tar', routerImage()));
    return copy;
  };

  // As in system/guest-moves.test.ts.
  it('vn-clone loses nothing by a clone that runs, and draws all its figures', { retry: 2 }, async () => {
    const { samples } = await drawn('vn-clone', withImage);
    expect(samples.map(({ method }) => method).toSorted()).toEqual(['clone', 'live']);
    expect(samples.find(({ method }) => method === 'clone')).toMatchObject({ suspend: 'false', lost_packets: 0 });
  });

  it('openflow-xen loses nothing by flows, or with planes apart, and draws all its figures', async () => {
    const { samples } = await drawn('openflow-xen', withImage);
    expect(samples.map(({ vn, lost_packets: lost }) => [vn, lost]).toSorted()).toEqual([
      ['daemon', 0],
      ['switch', 0],
    ]);
    expect(samples.find(({ vn }) => vn === 'switch')!.flow_change_ms).toBeGreaterThan(0);
  });
});

it('redirects by SSH sessions over a channel that is slow for each gateway in its own way, under load', async () => {
  const { samples, ofRuns } = await carriedOut(`experiment: ways
slice: ${slice}
testbed: kernel
repetitions: 1
fixed: { D: 100, latencyFactor: 0.1, urpf: strict, gatewayLoad: { g2: 1 } }
combinations:
  - { control: fresh-ssh, controlDelayMs: { g1: 15, g2: 60 }, controlJitterMs: 5 }
  - { control: gateway }
`);
  expect(samples.map(({ outcome, error }) => [outcome, error])).toEqual([
    ['completed', null],
    ['completed', null],
  ]);
  const redirections = ofRuns('redirections.csv');
  expect(redirections.map(({ gateway }) => gateway)).toEqual(['g1', 'g2', 'g1', 'g2']);
  const slow = samples.find(({ control }) => control === 'fresh-ssh')!;
  const lagOf = (name: string) =>
    Number(redirections.find(({ run, gateway }) => run === slow.run && gateway === name)!.lag_ms);
  // A session has at least four exchanges before its command, and every one waits for the channel both ways.
  expect(lagOf('g1')).toBeGreaterThan(4 * 2 * 15);
  expect(lagOf('g2')).toBeGreaterThan(4 * 2 * 60);
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

/** What this node can do, tried out in a namespace of its own. */
import { readFile } from 'node:fs/promises';
import { VnmError } from '../../../model/errors.ts';
import type { Feature } from '../../../vsys/messages.ts';
import type { Policy } from '../../../vsys/policy.ts';
import { bucketWords, hookWords, isTight, openGate, type QdiscJson, redirectWords } from './gate.ts';
import { kernelWords, parseFailures, showBatch } from './ip.ts';
import { probeNamespace } from './read-state.ts';
import { run } from './run.ts';

type Trial = readonly [feature: Feature['name'], line: string];

const ipTrials: readonly Trial[] = [
  ['vxlan', 'link add vx type vxlan id 1 dstport 4789 remote 192.0.2.1 nolearning'],
  ['nexthop-groups', 'link set lo up'],
  ['nexthop-groups', 'nexthop add id 1 dev lo'],
  ['nexthop-groups', 'nexthop add id 2 group 1'],
  ['resilient-groups', 'nexthop add id 3 group 1 type resilient buckets 1 idle_timer 0 unbalanced_timer 0'],
  ['ifb-gate', 'link add gate type ifb'],
];
const tcTrials: readonly Trial[] = [
  ['ifb-gate', bucketWords('gate', { ...openGate(0), closed: true }).join(' ')],
  ['ifb-gate', hookWords('add', 'lo').join(' ')],
  ['ifb-gate', redirectWords('lo', 'gate').join(' ')],
];

export async function probeFeatures(policy: Policy): Promise<Feature[]> {
  const root = process.getuid?.() === 0;
  return [
    { name: 'root', available: root, ...(root ? {} : { detail: 'the agent does not run as root' }) },
    ...(await probeNetwork(probeNamespace(policy))),
    await probeCompatMode(),
    await probeReversePath(),
    await probeRealtime(),
  ];
}

async function probeNetwork(namespace: string): Promise<Feature[]> {
  const trials = [...ipTrials, ...tcTrials];
  const names = [...new Set(trials.map(([name]) => name))];
  // One may be left from an agent that was killed right here.
  await run('ip', ['netns', 'del', namespace]);
  const made = await run('ip', ['netns', 'add', namespace]);
  if (made.code !== 0) return names.map((name) => ({ name, available: false, detail: kernelWords(made.stderr) }));
  try {
    const failures = [...(await tryLines('ip', namespace, ipTrials)), ...(await tryLines('tc', namespace, tcTrials))];
    if (!failures.some(({ name }) => name === 'ifb-gate')) failures.push(...(await tryGate(namespace)));
    return names.map((name) => {
      const failure = failures.find((candidate) => candidate.name === name);
      return failure === undefined ? { name, available: true } : { name, available: false, detail: failure.words };
    });
  } finally {
    await run('ip', ['netns', 'del', namespace]);
  }
}

async function tryLines(command: 'ip' | 'tc', namespace: string, trials: readonly Trial[]) {
  const text = trials.map(([, line]) => `${line}\n`).join('');
  try {
    const { stderr } = await run(command, ['-netns', namespace, '-force', '-batch', '-'], text);
    return parseFailures(stderr).map(({ line, words }) => ({ name: trials[line]![0], words }));
  } catch (error) {
    // Some systems have `tc` in a package of its own.
    if (command !== 'tc' || !(error instanceof VnmError)) throw error;
    return trials.map(([name]) => ({ name, words: error.message }));
  }
}

/** Whether the kernel understood the closed bucket as it is meant. */
async function tryGate(namespace: string): Promise<{ name: Feature['name']; words: string }[]> {
  const [qdiscs = []] = await showBatch('tc', namespace, [['qdisc', 'show', 'dev', 'gate']]);
  if (isTight(qdiscs as QdiscJson[])) return [];
  return [{ name: 'ifb-gate', words: 'a closed gate would not hold the first packets' }];
}

async function probeCompatMode(): Promise<Feature> {
  const name = 'nexthop-compat-off';
  const value = await readSetting('nexthop_compat_mode');
  if (value === '0') return { name, available: true };
  const detail = `net.ipv4.nexthop_compat_mode is ${value ?? 'not there'}: a redirection takes the longer the more routes it moves`;
  return { name, available: false, detail };
}

async function probeReversePath(): Promise<Feature> {
  const name = 'rp-filter';
  const value = await readSetting('conf/all/rp_filter');
  if (value === '0') return { name, available: true };
  const setting = `net.ipv4.conf.all.rp_filter is ${value ?? 'not there'}`;
  if (value === '1')
    return { name, available: true, detail: `${setting}: every interface is checked, strictly unless it is loose` };
  return { name, available: false, detail: `${setting}: no interface can be checked strictly` };
}

async function probeRealtime(): Promise<Feature> {
  const { code, stderr } = await run('chrt', ['-f', '1', 'true']);
  return code === 0
    ? { name: 'realtime', available: true }
    : { name: 'realtime', available: false, detail: kernelWords(stderr) };
}

/** Undefined where the kernel has no such setting. */
async function readSetting(file: string): Promise<string | undefined> {
  try {
    return (await readFile(`/proc/sys/net/ipv4/${file}`, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

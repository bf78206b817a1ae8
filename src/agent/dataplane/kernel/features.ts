/** Finds what this node can do, by trials in a separate namespace. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { VnmError } from '../../../model/errors.ts';
import { type TunnelKind, tunnelDescriptor, tunnelKindNames } from '../../../model/tunnel.ts';
import type { Feature } from '../../../vsys/messages.ts';
import type { Policy } from '../../../vsys/policy.ts';
import { probeNamespace } from '../../../vsys/presence.ts';
import { findDaemons } from '../../daemons/drivers.ts';
import { findCriu } from '../../daemons/moving/criu.ts';
import { hasProgram } from '../../has-program.ts';
import { findAccelerator } from '../../machines/accelerator.ts';
import { lacksForMachines } from '../../machines/running.ts';
import { run } from '../../run.ts';
import { controlDevice, controlGate, controlLines, listControlWords, parseControl } from '../planner/control.ts';
import {
  filterLines,
  filterScript,
  listWords,
  noFilter,
  parseFilter,
  trialFilter,
  trialPolicy,
} from '../planner/filter.ts';
import { bucketWords, hookWords, isTight, openGate, type QdiscJson, redirectWords } from '../planner/gate.ts';
import { type Control, type Link, newLink } from '../planner/state.ts';
import { tunnelKind } from '../planner/tunnels/registry.ts';
import { kernelWords, parseFailures } from './ip.ts';
import type { FeatureProbes } from './known-features.ts';
import { listAllNamespaces } from './presence.ts';
import { nftIn, nftWords } from './read-filter.ts';

type Trial = readonly [feature: Feature['name'], line: string];

function tunnelTrials(kind: TunnelKind): Trial[] {
  const { feature } = tunnelDescriptor(kind);
  return feature === undefined ? [] : tunnelKind(kind).trials.map((line) => [feature, line] as const);
}

const ipTrials: readonly Trial[] = [
  ...tunnelKindNames.flatMap(tunnelTrials),
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
  ['ifb-gate', 'qdisc show dev gate'],
];

export function featureProbes(policy: Policy): FeatureProbes {
  return {
    tryOut: async () => {
      const root = process.getuid?.() === 0;
      return [
        { name: 'root', available: root, ...(root ? {} : { detail: 'the agent does not run as root' }) },
        ...(await probeNetwork(probeNamespace(policy))),
      ];
    },
    look: async () => [
      ...(await Promise.all([probeCompatMode(), probeReversePath(), probeRealtime(), probeCapture()])),
      ...(await findDaemons()).map(daemonFeature),
      criuFeature(await findCriu()),
      await probeMachine(),
    ],
  };
}

async function probeNetwork(namespace: string): Promise<Feature[]> {
  const trials = [...ipTrials, ...tcTrials];
  const names = [...new Set([...trials.map(([name]) => name), 'tunnel-filter' as const, 'control-packets' as const])];
  // An agent that was killed at this point may have left one.
  if ((await listAllNamespaces()).includes(namespace)) await run('ip', ['netns', 'del', namespace]);
  const made = await run('ip', ['netns', 'add', namespace]);
  if (made.code !== 0) return names.map((name) => ({ name, available: false, detail: kernelWords(made.stderr) }));
  try {
    const failures = [
      ...(await tryLines('ip', namespace, ipTrials)).failures,
      ...(await tryGate(namespace)),
      ...(await tryFilter(namespace)),
      ...(await tryControl(namespace)),
    ];
    return names.map((name) => {
      const failure = failures.find((candidate) => candidate.name === name);
      return failure === undefined ? { name, available: true } : { name, available: false, detail: failure.words };
    });
  } finally {
    await run('ip', ['netns', 'del', namespace]);
  }
}

interface TrialFailure {
  readonly name: Feature['name'];
  readonly words: string;
}

/** Returns which trials failed, and what the lines printed. */
async function tryLines(
  command: 'ip' | 'tc',
  namespace: string,
  trials: readonly Trial[],
): Promise<{ failures: TrialFailure[]; stdout: string }> {
  const text = trials.map(([, line]) => `${line}\n`).join('');
  const args = ['-netns', namespace, '-force', '-json', '-details', ...(command === 'tc' ? ['-raw'] : [])];
  const { stdout, stderr } = await run(command, [...args, '-batch', '-'], text);
  return { failures: parseFailures(stderr).map(({ line, words }) => ({ name: trials[line]![0], words })), stdout };
}

/** Tests gates, and whether the kernel understands the closed bucket as intended. */
async function tryGate(namespace: string): Promise<TrialFailure[]> {
  try {
    const { failures, stdout } = await tryLines('tc', namespace, tcTrials);
    if (failures.length > 0 || isTight(JSON.parse(stdout) as QdiscJson[])) return failures;
    return [{ name: 'ifb-gate', words: 'a closed gate would not hold the first packets' }];
  } catch (error) {
    // Some systems have `tc` in a separate package.
    if (!(error instanceof VnmError)) throw error;
    return [{ name: 'ifb-gate', words: error.message }];
  }
}

/** Tests whether OSPF packets can be copied and held, and `nft` shows the rules as they were made. */
async function tryControl(namespace: string): Promise<TrialFailure[]> {
  const name = 'control-packets';
  const device = controlDevice(trialPolicy.interfacePrefix, namespace);
  const lo: Link = { ...newLink('lo', 'loopback', '00:00:00:00:00:00', 65_536) };
  const wanted: Control = { tunnels: ['lo'], sendTo: '192.0.2.1', gated: true };
  try {
    const { failures } = await tryLines('ip', namespace, [[name, `link add ${device.name} type ifb`]]);
    if (failures.length > 0) return failures;
    const buckets = [true, false].map((closed) => bucketWords(device.name, controlGate(closed)).join(' '));
    const { failures: refused } = await tryLines(
      'tc',
      namespace,
      buckets.map((line) => [name, line]),
    );
    if (refused.length > 0) return refused;
  } catch (error) {
    if (!(error instanceof VnmError)) throw error;
    return [{ name, words: error.message }];
  }
  const made = await nftIn(namespace, ['-f', '-'], filterScript(controlLines(device, new Map([['lo', lo]]), wanted)));
  const shown = made.code === 0 ? await nftIn(namespace, listControlWords) : made;
  if (shown.code !== 0) return [{ name, words: isMissing(shown.stderr) ? noNft : nftWords(shown.stderr) }];
  const { control } = parseControl(JSON.parse(shown.stdout), []);
  return isDeepStrictEqual(control, wanted)
    ? []
    : [{ name, words: "this version of 'nft' shows rules in an unknown format" }];
}

/** Tests whether the kernel accepts the filter, and `nft` shows it as it was made. */
async function tryFilter(namespace: string): Promise<TrialFailure[]> {
  const made = await nftIn(namespace, ['-f', '-'], filterScript(filterLines(trialPolicy, noFilter, trialFilter)));
  const shown = made.code === 0 ? await nftIn(namespace, listWords(trialPolicy)) : made;
  if (shown.code !== 0) return [noTunnelFilter(isMissing(shown.stderr) ? noNft : nftWords(shown.stderr))];
  const isAsMade = isDeepStrictEqual(parseFilter(trialPolicy, JSON.parse(shown.stdout)), trialFilter);
  return isAsMade ? [] : [noTunnelFilter("this version of 'nft' shows rules in an unknown format")];
}

const noNft = "there is no 'nft' (package nftables)";

function noTunnelFilter(why: string): TrialFailure {
  return { name: 'tunnel-filter', words: `tunnel packets are accepted from any sender: ${why}` };
}

/** Whether `nsenter` reports that it cannot start the command. */
function isMissing(stderr: string): boolean {
  return stderr.startsWith('nsenter: failed to execute nft');
}

function daemonFeature({ kind, version, lacks }: Awaited<ReturnType<typeof findDaemons>>[number]): Feature {
  const detail = version === undefined ? lacks : `version ${version}`;
  return { name: kind, available: version !== undefined, ...(detail === undefined ? {} : { detail }) };
}

function criuFeature(found: Awaited<ReturnType<typeof findCriu>>): Feature {
  const name = 'criu';
  if ('lacks' in found) return { name, available: false, detail: found.lacks };
  return { name, available: true, detail: `version ${found.version}` };
}

async function probeCompatMode(): Promise<Feature> {
  const name = 'nexthop-compat-off';
  const value = await readSetting('nexthop_compat_mode');
  if (value === '0') return { name, available: true };
  const detail = `net.ipv4.nexthop_compat_mode is ${value ?? 'missing'}: the more routes a redirection moves, the longer it takes`;
  return { name, available: false, detail };
}

async function probeReversePath(): Promise<Feature> {
  const name = 'rp-filter';
  const value = await readSetting('conf/all/rp_filter');
  if (value === '0') return { name, available: true };
  const setting = `net.ipv4.conf.all.rp_filter is ${value ?? 'missing'}`;
  if (value === '1')
    return {
      name,
      available: true,
      detail: `${setting}: every interface is checked, strictly unless it is set to loose`,
    };
  return { name, available: false, detail: `${setting}: no interface can be checked strictly` };
}

/** Whether a trial has succeeded: each costs two processes, and every connection asks. */
let isRealtime = false;

async function probeRealtime(): Promise<Feature> {
  if (isRealtime) return { name: 'realtime', available: true };
  const { code, stderr } = await run('chrt', ['-f', '1', 'true']);
  isRealtime = code === 0;
  return isRealtime
    ? { name: 'realtime', available: true }
    : { name: 'realtime', available: false, detail: kernelWords(stderr) };
}

async function probeCapture(): Promise<Feature> {
  const name = 'capture';
  if (hasProgram('tcpdump')) return { name, available: true };
  return { name, available: false, detail: "there is no 'tcpdump' (package tcpdump)" };
}

async function probeMachine(): Promise<Feature> {
  const name = 'machine';
  const lack = lacksForMachines() ?? (existsSync('/dev/net/tun') ? undefined : 'there is no /dev/net/tun');
  if (lack !== undefined) return { name, available: false, detail: lack };
  const how = findAccelerator() === 'kvm' ? 'with KVM' : 'without KVM, by translation';
  return { name, available: true, detail: how };
}

/** Returns undefined if the kernel has no such setting. */
async function readSetting(file: string): Promise<string | undefined> {
  try {
    return (await readFile(`/proc/sys/net/ipv4/${file}`, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Finds what this node can do, by trials in a separate namespace. One shell runs them all. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { type TunnelKind, tunnelDescriptor, tunnelKindNames } from '../../../model/tunnel.ts';
import type { Feature } from '../../../vsys/messages.ts';
import type { Policy } from '../../../vsys/policy.ts';
import { probeNamespace } from '../../../vsys/presence.ts';
import { findDaemons } from '../../daemons/drivers.ts';
import { findCriu } from '../../daemons/moving/criu.ts';
import { hasProgram } from '../../has-program.ts';
import { findAccelerator } from '../../machines/accelerator.ts';
import { lacksForMachines } from '../../machines/running.ts';
import { cannotRun, type Finished, run } from '../../run.ts';
import { missingProgram, runSteps, runTogether, type Step } from '../../run-steps.ts';
import {
  type ControlJson,
  controlDevice,
  controlGate,
  controlLines,
  listControlWords,
  parseControl,
} from '../planner/control.ts';
import {
  filterLines,
  filterScript,
  listWords,
  noFilter,
  parseFilter,
  type TableJson,
  trialFilter,
  trialPolicy,
} from '../planner/filter.ts';
import { bucketWords, hookWords, isTight, openGate, type QdiscJson, redirectWords } from '../planner/gate.ts';
import { type Control, type Link, newLink } from '../planner/state.ts';
import { tunnelKind } from '../planner/tunnels/registry.ts';
import { kernelWords, parseFailures } from './ip.ts';
import type { KeptFeatures } from './kept-features.ts';
import type { FeatureProbes } from './known-features.ts';
import { listAllNamespaces } from './presence.ts';
import { nftWords } from './read-filter.ts';

/** The exit code of the shell that could not make the namespace. */
const noNamespace = 9;

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

export function featureProbes(policy: Policy, kept: KeptFeatures): FeatureProbes {
  return {
    tryOut: async () => {
      const root = process.getuid?.() === 0;
      return [
        { name: 'root', available: root, ...(root ? {} : { detail: 'the agent does not run as root' }) },
        ...(await probeNetworkOnce(probeNamespace(policy), kept)),
      ];
    },
    look: async () => {
      // At the same moment, so that one shell runs what they need.
      const [daemons, criu, ...others] = await Promise.all([
        findDaemons(),
        findCriu(),
        ...[probeCompatMode(), probeReversePath(), probeRealtime(), probeCapture(), probeMachine()],
      ]);
      return [...others, ...daemons.map(daemonFeature), criuFeature(criu)];
    },
  };
}

/** Arguments: the namespace. Runs the script that is its standard input in a new namespace, which it removes. */
const inNewNamespace = `
ip netns add "$1" || exit ${noNamespace}
nsenter --net="/run/netns/$1" -- sh -s
ip netns del "$1"
`;

async function probeNetworkOnce(namespace: string, kept: KeptFeatures): Promise<Feature[]> {
  // An agent that was killed during its trials may have left one.
  if ((await listAllNamespaces()).includes(namespace)) await run('ip', ['netns', 'del', namespace]);
  const known = kept.read();
  if (known !== undefined) return known;
  const found = await probeNetwork(namespace);
  // What is missing may be installed.
  if (found.every(({ available }) => available)) kept.write(found);
  return found;
}

async function probeNetwork(namespace: string): Promise<Feature[]> {
  for (const program of ['ip', 'nsenter']) {
    if (!hasProgram(program)) throw cannotRun(program, new Error('it is missing'));
  }
  const { device, controlTrials, wanted, lines } = controlTrial(namespace);
  const trials = { ip: [...ipTrials, ...controlTrials.ip], tc: [...tcTrials, ...controlTrials.tc] };
  const names = [
    ...new Set([...ipTrials, ...tcTrials].map(([name]) => name)),
    ...(['tunnel-filter', 'control-packets'] as const),
  ];
  const steps: Step[] = [
    stepOf('ip', trials.ip),
    stepOf('tc', trials.tc),
    { words: ['nft', '-f', '-'], stdin: filterScript(filterLines(trialPolicy, noFilter, trialFilter)) },
    { words: ['nft', ...listWords(trialPolicy)] },
    { words: ['nft', '-f', '-'], stdin: filterScript(controlLines(device, lines, wanted)) },
    { words: ['nft', ...listControlWords] },
  ];
  const { done, shell } = await runSteps(steps, ['sh', '-c', inNewNamespace, 'sh', namespace]);
  const [ip, tc, makeFilter, listFilter, makeControl, listControl] = done;
  if (listControl === undefined) {
    return names.map((name) => ({ name, available: false, detail: kernelWords(shell.stderr) }));
  }
  const failed = [...failuresOf(trials.ip, ip!), ...failuresOf(trials.tc, tc!)];
  const failures = [
    ...failed,
    ...(failed.some(({ name }) => name === 'ifb-gate') ? [] : gateFailure(tc!)),
    ...tableFailure('tunnel-filter', makeFilter!, listFilter!, (json) =>
      isDeepStrictEqual(parseFilter(trialPolicy, json as TableJson), trialFilter),
    ),
    ...tableFailure('control-packets', makeControl!, listControl, (json) =>
      isDeepStrictEqual(parseControl(json as ControlJson, []).control, wanted),
    ),
  ];
  return names.map((name) => {
    const failure = failures.find((candidate) => candidate.name === name);
    return failure === undefined ? { name, available: true } : { name, available: false, detail: failure.words };
  });
}

interface TrialFailure {
  readonly name: Feature['name'];
  readonly words: string;
}

/** Copies and holds OSPF packets that arrive at `lo`. */
function controlTrial(namespace: string) {
  const name = 'control-packets';
  const device = controlDevice(trialPolicy.interfacePrefix, namespace);
  const wanted: Control = { tunnels: ['lo'], sendTo: '192.0.2.1', gated: true };
  const lo: Link = { ...newLink('lo', 'loopback', '00:00:00:00:00:00', 65_536) };
  const buckets = [true, false].map((closed) => bucketWords(device.name, controlGate(closed)).join(' '));
  const controlTrials: Record<'ip' | 'tc', Trial[]> = {
    ip: [[name, `link add ${device.name} type ifb`]],
    tc: buckets.map((line) => [name, line]),
  };
  return { device, controlTrials, wanted, lines: new Map([['lo', lo]]) };
}

function stepOf(tool: 'ip' | 'tc', trials: readonly Trial[]): Step {
  const options = ['-force', '-json', '-details', ...(tool === 'tc' ? ['-raw'] : [])];
  return { words: [tool, ...options, '-batch', '-'], stdin: trials.map(([, line]) => `${line}\n`).join('') };
}

/** Some systems have it in a separate package. */
const noTc = "there is no 'tc' (package iproute2)";

/** Returns which trials failed. */
function failuresOf(trials: readonly Trial[], { code, stderr }: Finished): TrialFailure[] {
  if (code === missingProgram) return trials.map(([name]) => ({ name, words: noTc }));
  return parseFailures(stderr).map(({ line, words }) => ({ name: trials[line]![0], words }));
}

/** Tests whether the kernel understands the closed bucket as intended. */
function gateFailure({ stdout }: Finished): TrialFailure[] {
  if (isTight(JSON.parse(stdout) as QdiscJson[])) return [];
  return [{ name: 'ifb-gate', words: 'a closed gate would not hold the first packets' }];
}

/** Tests whether the kernel accepted a table, and `nft` shows it as it was made. */
function tableFailure(
  name: 'tunnel-filter' | 'control-packets',
  made: Finished,
  listed: Finished,
  isAsMade: (json: unknown) => boolean,
): TrialFailure[] {
  const failed = [made, listed].find(({ code }) => code !== 0);
  const why = failed === undefined ? unknownFormat(listed.stdout, isAsMade) : nftFailure(failed);
  if (why === undefined) return [];
  return [{ name, words: name === 'tunnel-filter' ? `tunnel packets are accepted from any sender: ${why}` : why }];
}

function unknownFormat(text: string, isAsMade: (json: unknown) => boolean): string | undefined {
  return isAsMade(JSON.parse(text)) ? undefined : "this version of 'nft' shows rules in an unknown format";
}

function nftFailure({ code, stderr }: Finished): string {
  return code === missingProgram ? "there is no 'nft' (package nftables)" : nftWords(stderr);
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
  const { code, stderr } = await runTogether(['chrt', '-f', '1', 'true']);
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

/** The paths between the nodes of a slice on a running local testbed: changes them, lists them, measures them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { readBoundedText } from '../../model/bounded-file.ts';
import { VnmError } from '../../model/errors.ts';
import type { Slice } from '../../model/slice.ts';
import type { Store } from '../../store/store.ts';
import { testbedFiles } from '../layout.ts';
import { namespacePath } from '../namespaces.ts';
import { linkPlanOf, underlayNamespace } from '../plan.ts';
import { type Testbed, testbedSchema } from '../record.ts';
import { promptCommand } from '../start-relay.ts';
import { requestChange, requestProbePort } from './control.ts';
import {
  betweenBurstsMs,
  type LinkMeasurement,
  measurementOf,
  type ProbeArrivals,
  type ProbeJob,
  planProbes,
} from './probe-job.ts';
import { askedLink, type DirectedLink, isAsPlanned, type LinkChange, type LinkPlan } from './properties.ts';
import { readChangedLinks } from './record.ts';

export interface LinkReport {
  /** Of one direction. */
  readonly asked: DirectedLink;
  /** Whether it differs from what `testbed up` made. */
  readonly isChanged: boolean;
  readonly measured?: LinkMeasurement;
}

/**
 * Changes a path while it carries traffic. Returns the directions that the change is about. Throws VnmError:
 * `not-found` (no testbed, or an unknown node), `conflict` (a node with a host, or a testbed without a relay),
 * `invalid-input` (a node twice, more jitter than latency), `failed` (no relay answers).
 */
export async function changeLink(store: Store, slice: Slice, change: LinkChange): Promise<LinkReport[]> {
  const testbed = testbedOf(store, slice);
  for (const node of [change.from, change.to]) localNode(slice, node);
  requireRelay(testbed);
  const links = await requestChange(testbed.directory, change);
  const plan = linkPlan(testbed);
  return links.map((asked) => ({ asked, isChanged: !isAsPlanned(plan, asked) }));
}

/** Returns both directions of the paths between the named nodes: of all, of one with the others, or of two. */
export function listLinks(store: Store, slice: Slice, nodes: readonly string[]): LinkReport[] {
  const testbed = testbedOf(store, slice);
  const plan = linkPlan(testbed);
  const changed = readChangedLinks(testbed.directory);
  for (const node of nodes) localNode(slice, node);
  const all = plan.names.filter((name) => slice.nodes.has(name));
  const pairs = all.flatMap((from) => all.filter((to) => to !== from).map((to) => ({ from, to })));
  return pairs
    .filter(({ from, to }) => nodes.every((node) => node === from || node === to))
    .map((ends) => askedLink(plan, changed, ends))
    .map((asked) => ({ asked, isChanged: !isAsPlanned(plan, asked) }));
}

/**
 * Sends `count` probes over each of these links, and a burst where a rate is asked for. Probes pass the relay with the
 * packets of the nodes. `onStart` gets the time in ms that sending takes.
 */
export async function measureLinks(
  store: Store,
  slice: Slice,
  links: readonly LinkReport[],
  { count, onStart, signal }: { count: number; onStart: (sendingMs: number) => void; signal?: AbortSignal | undefined },
): Promise<LinkReport[]> {
  const testbed = testbedOf(store, slice);
  requireRelay(testbed);
  const { names } = linkPlan(testbed);
  const ends = links.map(({ asked }) => ({ from: names.indexOf(asked.from), to: names.indexOf(asked.to), asked }));
  const job = planProbes(ends, count);
  const relay = await requestProbePort(testbed.directory);
  const bursts = job.links.filter(({ burst }) => burst !== undefined).length;
  onStart(job.count * job.intervalMs + bursts * betweenBurstsMs);
  const arrivals = await runProber(testbed, relay.port, job, signal).finally(relay.close);
  return links.map((link, at) => ({ ...link, measured: measurementOf(job.links[at]!, arrivals[at]!) }));
}

async function runProber(
  testbed: Testbed,
  port: number,
  job: ProbeJob,
  signal?: AbortSignal,
): Promise<ProbeArrivals[]> {
  const inside =
    testbed.dataplane === 'kernel' ? ['nsenter', `--net=${namespacePath(underlayNamespace(testbed.id))}`, '--'] : [];
  const [program, ...args] = [...inside, ...(await promptCommand('links/prober', [String(port)]))] as [
    string,
    ...string[],
  ];
  signal?.throwIfAborted();
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], ...(signal === undefined ? {} : { signal }) });
  const closed = once(child, 'close');
  // A process that ends without reading says why on standard error.
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify(job));
  const [[status], printed, complaint] = await Promise.all([closed, text(child.stdout), text(child.stderr)]).catch(
    (error) => {
      signal?.throwIfAborted();
      throw error;
    },
  );
  if (status === 0) return JSON.parse(printed);
  throw new VnmError('failed', `the probes of testbed '${testbed.id}' failed: ${complaint.trim()}`, {
    hint: 'run pl-vnm testbed status to see whether its relay is alive',
  });
}

function testbedOf(store: Store, slice: Slice): Testbed {
  const record = store.testbeds.forSlice(slice.name)?.record;
  if (record !== undefined && record !== null) return testbedSchema.parse(JSON.parse(record));
  if ([...slice.nodes.values()].every(({ host }) => host !== undefined)) {
    throw new VnmError('conflict', `slice '${slice.name}' is on real nodes: all of them have a host`, {
      hint: 'only paths between nodes of a local testbed can be changed or listed',
    });
  }
  throw new VnmError('not-found', `no testbed is running for slice '${slice.name}'`, {
    hint: 'run pl-vnm testbed up with its slice file',
  });
}

function localNode({ name: slice, nodes }: Slice, name: string): void {
  const node = nodes.get(name);
  if (node === undefined) {
    throw new VnmError('not-found', `slice '${slice}' has no node '${name}'`, {
      hint: `its nodes are ${[...nodes.keys()].join(', ')}`,
    });
  }
  if (node.host === undefined) return;
  throw new VnmError('conflict', `node '${name}' of slice '${slice}' is a real one: it has a host`, {
    hint: 'only paths between nodes of a local testbed can be changed or listed',
  });
}

function requireRelay({ id, latency }: Testbed): void {
  if (latency === 'relay') return;
  throw new VnmError('conflict', `testbed '${id}' has no relay, since its slices declare no latency`, {
    hint: 'take it down, and run pl-vnm testbed up with --relay',
  });
}

function linkPlan({ directory }: Testbed): LinkPlan {
  return linkPlanOf(JSON.parse(readBoundedText(testbedFiles(directory).plan, { maxBytes: maxPlanBytes })));
}

/** Enough for a thousand nodes. */
const maxPlanBytes = 64 * 1024 * 1024;

/** Runs migrations under faults, one after the other. Each must end completely on its old or on its new placement. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonStatus } from '../../src/controller/nodes/daemons.ts';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import type { SliceStatus } from '../../src/controller/status.ts';
import type { Flow } from '../../src/model/slice.ts';
import { pathsOf } from '../../src/planning/paths.ts';
import { type AppliedFault, type Attempt, type Fault, faultsOf, isByRouter, isLiving, type Mode } from './faults.ts';
import type { Place } from './place.ts';
import { type Random, randomOf } from './random.ts';

export interface RunRecord {
  readonly run: number;
  readonly fault: string;
  /** The phase of the fault; none if it came before the migration began. */
  readonly phase: string | undefined;
  /** The time and target of the fault, for people. */
  readonly detail: string;
  readonly ended: 'old' | 'new';
  /** The commands that recovered the migration. */
  readonly recovery: string;
  /** Packets lost by flows that do not cross the faulty node, and by the others. */
  readonly lost: number;
  readonly lostByHurt: number;
  readonly duplicated: number;
  readonly leftovers: number;
  /** The violations; empty for a good run. */
  readonly problems: string[];
}

const schedules = ['optimal', 'optimal', 'simultaneous', 'hold', 'drain'];
const pollMs = 10;
const recoveryAttempts = 8;
const phasesOfRecovery = ['set up', 'redirect', 'verify', 'drain', 'retire', 'roll back', 'remove the new instance'];
const phasesOfMoves = [
  'set up',
  'move control plane',
  'flip',
  'converge',
  'retire',
  'roll back',
  'remove the new place',
];

/** How long routing daemons may need after the fault until every pair of end hosts has a way again. */
const convergeMs = 60_000;

export async function runOnce(place: Place, seed: number, run: number, mode: Mode = 'instance'): Promise<RunRecord> {
  const random = randomOf(seed, run);
  const faults = faultsOf(place.dataplane, mode);
  const fault = faults[run % faults.length]!;
  // The phases take turns, so that none is omitted.
  const phase = fault.strike && fault.phases[Math.floor(run / faults.length) % fault.phases.length]!;
  const { vnm, slice, vn } = place;
  const problems: string[] = [];
  const from = place.store.instances.active(slice.name, vn.name)!.placementName!;
  const to = random.pick([...vn.placements.keys()].filter((name) => name !== from));
  const how = isByRouter(mode) ? 'method vroom' : `schedule ${random.pick(schedules)}`;
  const hurts: AppliedFault[] = [];
  let detail = `${from} -> ${to}, ${how}`;
  let recovery = '';
  const flows = await place.underTraffic(async () => {
    if (fault.before !== undefined) hurts.push(fault.before(place, random));
    const migrating = vnm.start(`--json --verbose migrate ${slice.name} --to ${to} --${how}`);
    const placements = { from: vn.placements.get(from)!, to: vn.placements.get(to)! };
    const attempt = { place, random, migrating, ...placements };
    if (phase !== undefined) {
      const begun = isByRouter(mode) ? beginsForRouter(attempt, phase) : migrating.said(`- ${phase}\n`);
      detail += await strike(fault, phase, begun, attempt, hurts);
    }
    const { code, overdue, stderr } = await migrating.finished;
    if (overdue) problems.push('migrate did not end in time');
    const kept = /exiting with open resources: .*/.exec(stderr);
    if (kept !== null) problems.push(kept[0]);
    // Sometimes the first recovery runs while the fault lasts.
    const isLate = random.next() < 0.3 && place.store.migrations.unfinished(slice.name).length > 0;
    const early = isLate ? await recover(place, random, 1, problems, mode) : '';
    for (const hurt of hurts) await hurt.undo?.();
    detail += hurts.map(({ description }) => ` ${description}`).join(',');
    recovery = `exit ${code}${early}${early === '' ? '' : ' (during the fault)'}`;
    recovery += await recover(place, random, recoveryAttempts, problems, mode);
    if (place.store.migrations.unfinished(slice.name).length > 0) problems.push('the migration does not end');
  });
  const { code, json } = await verify(place, isLiving(mode) ? convergeMs : 0);
  if (code !== 0) problems.push(`verify: ${JSON.stringify(json.pairs?.filter(({ reachable }) => !reachable) ?? json)}`);
  const status = await vnm.ok<SliceStatus>(`status ${slice.name}`);
  const [{ placement, instances }] = status.vns as [SliceStatus['vns'][number]];
  if (placement !== from && placement !== to) problems.push(`the VN is on ${placement}`);
  if (instances.length !== 1) problems.push(`there are ${instances.length} instances`);
  const leftovers = await leftoversOf(place, problems, hurts);
  if (isLiving(mode)) problems.push(...(await deadDaemons(place)));
  const crossing = hurts.flatMap(({ node }) => node ?? []);
  const isHurt = (flow: { from: string; to: string }) =>
    crossing.some((node) => [from, to].some((name) => crosses(place, flow, name, node)));
  const sum = (list: readonly { lost: number }[]) => list.reduce((total, { lost }) => total + lost, 0);
  const lost = sum(flows.filter((flow) => !isHurt(flow)));
  const duplicated = flows.reduce((total, flow) => total + flow.duplicated, 0);
  // A daemon that a fault stops for too long is given up by its neighbours, and then packets have no way.
  if (lost > 0 && mode !== 'living-vroom')
    problems.push(`${lost} packets lost by flows that do not cross the faulty node`);
  if (duplicated > 0) problems.push(`${duplicated} duplicate packets`);
  const ended = placement === to ? 'new' : 'old';
  const lostByHurt = sum(flows.filter(isHurt));
  return { run, fault: fault.name, phase, detail, ended, recovery, lost, lostByHurt, duplicated, leftovers, problems };
}

/** Resolves when the phase begins for one of the routers; rejects if the migration ends before. */
async function beginsForRouter({ place, random, migrating, from, to }: Attempt, phase: string): Promise<void> {
  const router = random.pick([...from].filter(([name, node]) => to.get(name) !== node).map(([name]) => name));
  let isOver = false;
  void migrating.finished.then(() => {
    isOver = true;
  });
  await migrating.said(`moving router '${router}'`);
  while (place.store.migrations.unfinished(place.slice.name)[0]?.state !== phase) {
    if (isOver) throw new Error(`the migration ended before phase '${phase}' of router '${router}'`);
    await sleep(pollMs);
  }
}

/** Verifies again and again, until it succeeds or has had its time. */
async function verify({ vnm, slice }: Place, patienceMs: number) {
  const endMs = performance.now() + patienceMs;
  for (;;) {
    const result = await vnm.json<VerifyResult>(`verify ${slice.name}`);
    if (result.code === 0 || performance.now() > endMs) return result;
  }
}

async function strike(
  fault: Fault,
  phase: string,
  begun: Promise<unknown>,
  attempt: Attempt,
  hurts: AppliedFault[],
): Promise<string> {
  const afterMs = Math.floor(attempt.random.next() * fault.withinMs);
  try {
    await begun;
  } catch {
    return ' (the migration ended before)';
  }
  await sleep(afterMs);
  hurts.push(await fault.strike!(attempt));
  return `, in '${phase}' after ${afterMs} ms:`;
}

/** Resumes or rolls back an interrupted migration, and is sometimes killed too. Returns what it did. */
async function recover(
  { vnm, slice, store }: Place,
  random: Random,
  attempts: number,
  problems: string[],
  mode: Mode,
): Promise<string> {
  let done = '';
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const [unfinished] = store.migrations.unfinished(slice.name);
    if (unfinished === undefined) return done;
    const verb = unfinished.state === 'retire' ? 'resume' : random.pick(['resume', 'rollback']);
    const running = vnm.start(`--json ${verb} ${slice.name}`);
    // The command may end before that phase.
    const phases = mode === 'living-vroom' ? phasesOfMoves : phasesOfRecovery;
    const phase = random.next() < 0.4 ? random.pick(phases) : undefined;
    if (phase !== undefined) {
      const isThere = await running.said(`- ${phase}\n`).then(
        () => true,
        () => false,
      );
      if (isThere) await sleep(random.next() * 150);
      running.kill();
    }
    const { code, stderr, overdue } = await running.finished;
    if (overdue) problems.push(`${verb} did not end in time`);
    const why = code === null || code === 0 ? '' : ` (${stderr.trim().split('\n').at(-1)!.slice(0, 200)})`;
    done += `, ${verb} ${code === null ? `killed in '${phase}'` : `exit ${code}${why}`}`;
  }
  return done;
}

/** After a node was unreachable, `reconcile` removes what is left there. Then the nodes must equal the database. */
async function leftoversOf({ vnm, slice }: Place, problems: string[], hurts: readonly AppliedFault[]): Promise<number> {
  const look = () => vnm.json<{ differences?: unknown[] }>(`status ${slice.name} --live`);
  let { code, json } = await look();
  const left = json.differences?.length ?? 0;
  if (code !== 0) {
    await vnm.run(`reconcile ${slice.name}`);
    ({ code, json } = await look());
    if (!hurts.some(({ undo }) => undo !== undefined)) problems.push(`left before reconcile: ${left}`);
  }
  if (code !== 0) problems.push(`status --live: ${JSON.stringify(json).slice(0, 600)}`);
  return json.differences?.length ?? 0;
}

/** The routers whose daemon does not run at the place where the router is. */
async function deadDaemons({ vnm, slice }: Place): Promise<string[]> {
  const { json } = await vnm.json<{ daemons?: DaemonStatus[] }>(`status ${slice.name} --live`);
  const daemons = json.daemons ?? [];
  if (daemons.length === 0) return ['status --live names no daemons'];
  return daemons
    .filter(({ state }) => state !== 'running')
    .map(({ router, node, state }) => `the daemon of router ${router} on ${node} is ${state}`);
}

/** Whether the path of a flow on one placement crosses a node. */
export function crosses(
  { vn }: Place,
  { from, to }: Pick<Flow, 'from' | 'to'>,
  placementName: string,
  node: string,
): boolean {
  const gatewayOf = (endHost: string) => {
    const name = vn.endHosts.find((one) => one.name === endHost)!.gateway;
    return vn.gateways.find((gateway) => gateway.name === name)!;
  };
  const [a, b] = [gatewayOf(from), gatewayOf(to)];
  const routers = pathsOf(vn).between(a.router, b.router);
  const placement = vn.placements.get(placementName)!;
  return [a.node, b.node, ...routers.map((router) => placement.get(router)!)].includes(node);
}

/**
 * `npm run bench [-- NAME ...]` runs benchmarks, prints tables, and writes them into docs/benchmarks.md; with `--print`
 * first it does not write. Needs root on Linux, iperf3 for `packets`, `living-bird`, `living-frr` and `planes`, and
 * CRIU for `planes`.
 */

import { exitAfterCommand } from '../../src/cli/leave.ts';
import { armedBench } from './armed.ts';
import { bastionBench } from './bastion.ts';
import { contactBench } from './contact.ts';
import { deadNodeBench } from './dead-node.ts';
import { migrationsBench, packetsBench } from './feasible.ts';
import { flipBench } from './flip.ts';
import { gatesBench } from './gates.ts';
import { growthBench } from './growth.ts';
import { livingBench } from './living.ts';
import { phasesBench } from './phases.ts';
import { planesBench } from './planes.ts';
import { planningBench } from './planning.ts';
import { describeMachine, recordResults } from './record.ts';
import { strictBench } from './strict.ts';
import { timingBench } from './timing.ts';
import { userspaceBench } from './userspace.ts';
import { fibBench, vroomBench } from './vroom.ts';

/** Of `living-bird` and `living-frr`, whose 100 migrations take more than half an hour. */
const livingCount = Number(process.env.PL_VNM_BENCH_MIGRATIONS ?? 100);

const benches: Record<string, { title: string; run: () => Promise<string> }> = {
  timing: { title: 'Lateness of redirections', run: () => timingBench() },
  armed: { title: 'Armed redirections of one gateway, and the cost of 10,000 prefixes behind a peer', run: armedBench },
  flip: {
    title: 'Redirecting by a group, and by `ip route replace` for each prefix',
    run: () => flipBench(),
  },
  strict: {
    title: 'Strict uRPF: lost packets compared with the loss model (two-node slice)',
    run: () => strictBench(),
  },
  gates: {
    title: 'Drain under strict and hold under feasible uRPF (two-node slice, both directions)',
    run: gatesBench,
  },
  packets: {
    title: 'Feasible uRPF: 200 redirections of both gateways under 20,000 packets/s each way',
    run: packetsBench,
  },
  migrations: {
    title: 'Feasible uRPF: 200 migrations of the three-node slice under its six flows',
    run: () => migrationsBench(),
  },
  'timing-userspace': {
    title: 'Lateness of redirections in user space',
    run: () => timingBench('userspace'),
  },
  'strict-userspace': {
    title: 'Strict uRPF in user space: lost packets compared with the loss model (two-node slice)',
    run: () => strictBench('userspace'),
  },
  'migrations-userspace': {
    title: 'Feasible uRPF in user space: 200 migrations of the three-node slice under its six flows',
    run: () => migrationsBench('userspace'),
  },
  phases: { title: 'A migration of the three-node slice, phase by phase', run: () => phasesBench() },
  planning: { title: 'Planning by size, next to the linear programs of HiGHS', run: () => planningBench() },
  contact: { title: 'The first contact with a node, and later ones', run: () => contactBench() },
  growth: { title: 'VNs of 3 to 100 routers on as many nodes', run: () => growthBench('kernel') },
  'growth-userspace': {
    title: 'VNs of 3 to 100 routers on as many nodes in user space',
    run: () => growthBench('userspace'),
  },
  vroom: {
    title: 'Strict uRPF: routers that move one after the other, next to whole instances',
    run: () => vroomBench(),
  },
  fib: { title: 'A router with many routes moves', run: () => fibBench() },
  'living-bird': {
    title: `Abilene with BIRD: ${livingCount} migrations under 20,000 packets/s each way`,
    run: () => livingBench('bird', livingCount),
  },
  'living-frr': {
    title: `Abilene with FRR: ${livingCount} migrations under 20,000 packets/s each way`,
    run: () => livingBench('frr', livingCount),
  },
  planes: {
    title: "VROOM's diamond: a router moves there and back with its control plane",
    run: () => planesBench(),
  },
  bastion: {
    title: 'A lab of 50 nodes behind a bastion: doctor and migrations through it, next to direct ones',
    run: () => bastionBench(),
  },
  'dead-node': {
    title: 'A node dies under traffic, and the VN migrates to other nodes (three-node slice)',
    run: deadNodeBench,
  },
  userspace: {
    title: 'A router of the userspace plane next to a bare relay and a router of the kernel plane',
    run: userspaceBench,
  },
};

const words = process.argv.slice(2);
const onlyPrints = words[0] === '--print';
const names = onlyPrints ? words.slice(1) : words;
const unknown = names.filter((name) => !Object.hasOwn(benches, name));
if (unknown.length > 0) {
  console.error(`unknown benchmark: ${unknown.join(', ')}; choose from ${Object.keys(benches).join(', ')}`);
  process.exit(2);
}
for (const name of names.length > 0 ? names : Object.keys(benches)) {
  const { title, run } = benches[name]!;
  const machine = describeMachine();
  const text = await run();
  console.log(`\n${title}\n$ npm run bench -- ${name}\n${machine}\n\n${text}`);
  if (!onlyPrints && recordResults(name, machine, text)) console.log(`\nwritten into docs/benchmarks.md`);
}
exitAfterCommand((resources) => console.error(`left open: ${resources}`));

/**
 * `npm run chaos -- [--runs N] [--first K] [--seed S] [--slice NAME] [--parallel P] [--dataplane KIND]` runs N
 * migrations under faults, from run K on; a seed repeats them. Needs Linux, and root for the kernel data plane.
 */
import { parseArgs } from 'node:util';
import { table } from '../../src/cli/output.ts';
import { type RunRecord, runOnce } from './campaign.ts';
import { isLiving, modes } from './faults.ts';
import { makePlace, type Place } from './place.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '300' },
    first: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    slice: { type: 'string', default: 'three-node' },
    parallel: { type: 'string', default: '2' },
    dataplane: { type: 'string', default: 'kernel' },
    mode: { type: 'string', default: 'instance' },
  },
});
const [runs, first, seed, parallel] = [values.runs, values.first, values.seed, values.parallel].map(Number) as [
  number,
  number,
  number,
  number,
];

const mode = modes.find((name) => name === values.mode);
if (mode === undefined) {
  console.error(`unknown mode '${values.mode}'; choose from ${modes.join(', ')}`);
  process.exit(2);
}
const dataplane = values.dataplane === 'userspace' ? 'userspace' : 'kernel';
const waiting = Array.from({ length: runs }, (_, index) => first + index);
const records: RunRecord[] = [];
const startMs = performance.now();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    if (waiting.length > 0) console.error('starting no further runs; waiting for those under way');
    waiting.length = 0;
  });
}
await Promise.all(Array.from({ length: Math.min(parallel, runs) }, work));
records.sort((a, b) => a.run - b.run);
const bad = records.filter(({ problems }) => problems.length > 0);
for (const { run, fault, detail, recovery, problems } of bad) {
  console.log(`run ${run}, ${fault}, ${detail}: ${recovery}\n  ${problems.join('\n  ')}`);
}
const from = first === 0 ? '' : ` --first ${first}`;
console.log(
  `\n$ npm run chaos -- --runs ${runs}${from} --seed ${seed} --slice ${values.slice} --dataplane ${dataplane}${mode === 'instance' ? '' : ` --mode ${mode}`}\n`,
);
console.log(summary(records));
console.log(`\nthe controller was killed ${inPhases('controller killed')}; an agent ${inPhases('agent killed')}`);
console.log(
  `\n${records.length} runs in ${((performance.now() - startMs) / 60_000).toFixed(0)} min, ${bad.length} with problems`,
);
process.exitCode = bad.length === 0 && records.length === runs ? 0 : 1;

async function work(): Promise<void> {
  let place: Place | undefined;
  try {
    for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
      place ??= await makePlace(values.slice, { dataplane, living: isLiving(mode!) });
      const record = await runOnce(place, seed, run, mode);
      records.push(record);
      const { fault, detail, recovery, ended, lost, lostByHurt, problems } = record;
      console.error(
        `${run}: ${fault}, ${detail}: ${recovery}: ${ended}, lost ${lost}+${lostByHurt} ${problems.length > 0 ? `!! ${problems.join(' | ')}` : ''}`,
      );
      // The next run must not be affected by this one.
      if (problems.length > 0) {
        await place.remove();
        place = undefined;
      }
    }
  } finally {
    await place?.remove();
  }
}

function inPhases(fault: string): string {
  const struck = records.filter((record) => record.fault === fault);
  const counts = [...Map.groupBy(struck, ({ phase }) => phase)].map(
    ([phase, group]) => `in '${phase}' ${group.length} times`,
  );
  return counts.join(', ');
}

/** Returns a line per fault. */
function summary(all: readonly RunRecord[]): string {
  const rows = [...Map.groupBy(all, ({ fault }) => fault)].map(([fault, group]) => {
    const count = (test: (record: RunRecord) => boolean) => group.filter(test).length;
    const sum = (value: (record: RunRecord) => number) => group.reduce((total, record) => total + value(record), 0);
    return [
      fault,
      group.length,
      count(({ ended }) => ended === 'old'),
      count(({ ended }) => ended === 'new'),
      count(({ recovery }) => recovery.includes(',')),
      sum(({ lost }) => lost),
      sum(({ lostByHurt }) => lostByHurt),
      sum(({ duplicated }) => duplicated),
      sum(({ leftovers }) => leftovers),
    ];
  });
  const heading = [
    'fault',
    'runs',
    'ended old',
    'ended new',
    'by resume or rollback',
    'lost',
    'lost over the cut node',
    'twice',
    'left over',
  ];
  return table(heading, rows);
}

/** `npm run soak -- [--minutes N]` runs the service with a job, by default for an hour. Needs root on Linux. */
import { parseArgs } from 'node:util';
import { cutNode, deleteRoutes, deleteTunnel, killAgent } from './incidents.ts';
import { soakReport } from './report.ts';
import { type Plan, soak } from './soak.ts';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '60' } } });
const minutes = Number(values.minutes);
/** The times as fractions of the whole; a cut is shorter or longer than the time between two migrations. */
const parts = [
  [0.1, killAgent('gateway')],
  [0.2, cutNode(15_000)],
  [0.35, killAgent('router')],
  [0.5, deleteTunnel],
  [0.6, cutNode(50_000)],
  [0.75, deleteRoutes],
  [0.85, cutNode(15_000)],
] as const;
const plan: Plan = {
  minutes,
  // Halfway between two migrations.
  strikes: parts.map(([part, strike]) => ({ atSeconds: Math.round((part * minutes * 60) / 30) * 30 + 17, strike })),
};
const result = await soak(plan, (text) => console.error(text));
console.log(`\n$ npm run soak -- --minutes ${minutes}\n\n${soakReport(result)}`);

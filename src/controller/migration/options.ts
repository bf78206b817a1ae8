/** The options of a migration in one schema, which the command line, jobs, HTTP API and journal use. */
import * as z from 'zod';
import { scheduleNames } from '../../planning/schedule/types.ts';
import { methodNames } from '../base/phase.ts';
import { controlPlaneNames } from './control-planes/names.ts';

/** The largest number of routers that may move at the same time. */
const maxParallel = 1000;

/** The values of each option, with the descriptions that help and API show, in the order in which they show them. */
export const optionKinds = {
  method: z
    .enum(methodNames)
    .describe(
      'How to move: the whole VN as a new instance (default), router by router (vroom), switches by their flows (flow), or virtual machines with their memory (clone, live)',
    ),
  control: z
    .enum(['remote', 'gateway'])
    .describe('Who times the redirections: the gateways themselves, or the controller over SSH'),
  controlPlane: z
    .enum(controlPlaneNames)
    .describe(
      'How the routing daemon of a router moves with method vroom (default: checkpoint where the nodes can, else graceful)',
    ),
  holdControl: z
    .boolean()
    .describe(
      'With method vroom, hold OSPF packets that arrive while a routing daemon moves, and deliver them in order',
    ),
  parallel: z
    .int()
    .min(1)
    .max(maxParallel)
    .describe('How many routers that are no neighbours may move at the same time with method vroom (default: 1)'),
  suspend: z.boolean().describe('With method clone, let the guest stand still while its memory is copied'),
  schedule: z.enum(scheduleNames).describe('When each gateway redirects'),
  granularity: z.enum(['gateway', 'peer']).describe('One instant per gateway, or one per remote gateway'),
  urpf: z
    .enum(['strict', 'feasible', 'loose'])
    .describe('Reverse-path check (RFC 3704; default: feasible where the gateways can, else strict)'),
  traffic: z.boolean().describe("Run the slice's flows meanwhile and count what they lose"),
  repairFirst: z.boolean().describe('Put back what is missing on the old side, then migrate'),
  resumeFirst: z.boolean().describe('Finish an interrupted migration, then migrate'),
} as const;

export const migrationOptions = z.strictObject({
  method: optionKinds.method.exactOptional(),
  control: optionKinds.control.default('gateway'),
  controlPlane: optionKinds.controlPlane.exactOptional(),
  holdControl: optionKinds.holdControl.exactOptional(),
  parallel: optionKinds.parallel.exactOptional(),
  suspend: optionKinds.suspend.exactOptional(),
  schedule: optionKinds.schedule.default('optimal'),
  granularity: optionKinds.granularity.default('gateway'),
  urpf: optionKinds.urpf.exactOptional(),
  traffic: optionKinds.traffic.default(false),
  repairFirst: optionKinds.repairFirst.exactOptional(),
  resumeFirst: optionKinds.resumeFirst.exactOptional(),
});

export type MigrationOptions = Readonly<z.output<typeof migrationOptions>>;

export const migrationOptionNames = Object.keys(optionKinds) as (keyof MigrationOptions)[];

/** The default options. */
export const usualOptions: MigrationOptions = migrationOptions.parse({});

/** The faults; each happens at a random moment. */
import { writeFileSync } from 'node:fs';
import type { Dataplane } from '../../src/model/dataplane.ts';
import type { Placement } from '../../src/model/slice.ts';
import type { Running } from '../support/command-line.ts';
import type { Place } from './place.ts';
import type { Random } from './random.ts';

export interface Attempt {
  readonly place: Place;
  readonly random: Random;
  readonly migrating: Running;
  readonly from: Placement;
  readonly to: Placement;
}

/** What a fault did, and how to undo it once the migration has ended. */
export interface AppliedFault {
  readonly description: string;
  /** The node whose flows may lose packets. */
  readonly node?: string;
  readonly undo?: () => Promise<void> | void;
}

export interface Fault {
  readonly name: string;
  /** Applies the fault before the migration begins. */
  readonly before?: (place: Place, random: Random) => AppliedFault;
  /** The phases in which the fault happens, and the longest delay after their start in ms. */
  readonly phases: readonly string[];
  readonly withinMs: number;
  readonly strike?: (attempt: Attempt) => Promise<AppliedFault> | AppliedFault;
}

/** What is migrated and how: a static VN by either method, or a VN with routing daemons by either method. */
export const modes = ['instance', 'vroom', 'living', 'living-vroom'] as const;
export type Mode = (typeof modes)[number];

export function isLiving(mode: Mode): boolean {
  return mode === 'living' || mode === 'living-vroom';
}

export function isByRouter(mode: Mode): boolean {
  return mode === 'vroom' || mode === 'living-vroom';
}

const phases = ['set up', 'clone', 'join gateways', 'prove', 'measure', 'redirect', 'verify', 'drain', 'retire'];
const phasesOf: Readonly<Record<Mode, readonly string[]>> = {
  instance: phases,
  vroom: ['set up', 'clone', 'prove', 'flip', 'verify', 'drain', 'retire'],
  living: [...phases.slice(0, 3), 'settle', ...phases.slice(3)],
  // Above all the one in which a daemon is stopped, or on neither node.
  'living-vroom': [
    'move control plane',
    'set up',
    'move control plane',
    'prove',
    'move control plane',
    'flip',
    'converge',
    'verify',
    'drain',
    'retire',
  ],
};
/** How long the lock of the database is held: longer than a command waits for it. */
const lockedMs = 7000;
/** How long an agent hangs: longer than the controller waits for its result. */
const hangMs = 25_000;

const daemonKilled = 'routing daemons killed';

const allFaults: readonly Fault[] = [
  {
    name: 'controller killed',
    phases,
    withinMs: 150,
    strike: ({ migrating }) => {
      migrating.kill();
      return { description: 'killed' };
    },
  },
  {
    name: 'agent killed',
    phases,
    withinMs: 150,
    strike: (attempt) => {
      const node = anyNode(attempt);
      attempt.place.kill(node, 'daemon --slice');
      return { description: `of ${node}`, ...faulty(attempt.place, node) };
    },
  },
  {
    name: 'gateway killed while armed',
    phases: ['redirect'],
    // The lead of a redirection is longer than that.
    withinMs: 500,
    strike: ({ place, random }) => {
      const { node } = random.pick(place.vn.gateways);
      place.kill(node, 'daemon --slice');
      return { description: `the agent of ${node}`, ...faulty(place, node) };
    },
  },
  {
    name: 'gateway hangs while armed',
    phases: ['redirect'],
    withinMs: 500,
    strike: ({ place, random }) => {
      const { node } = random.pick(place.vn.gateways);
      place.kill(node, 'daemon --slice', 'SIGSTOP');
      // The agent cannot fire in time, and requests to it wait.
      const goOn = () => void place.kill(node, 'daemon --slice', 'SIGCONT');
      setTimeout(goOn, hangMs).unref();
      return { description: `the agent of ${node}`, undo: goOn, ...faulty(place, node) };
    },
  },
  {
    name: 'SSH cut',
    phases,
    withinMs: 150,
    strike: (attempt) => {
      const node = anyNode(attempt);
      attempt.place.cutSsh(node);
      return { description: `to ${node}` };
    },
  },
  {
    name: 'node cut off',
    phases,
    withinMs: 150,
    strike: async (attempt) => {
      const node = anyNode(attempt);
      await attempt.place.cut(node);
      return { description: node, node, undo: () => attempt.place.heal(node) };
    },
  },
  {
    name: 'gateway refuses to arm',
    phases: [],
    withinMs: 0,
    before: (place, random) => {
      const { node } = random.pick(place.vn.gateways);
      const putBack = place.changePolicy(node, (policy) => ({ ...policy, limits: { armed: 0 } }));
      place.kill(node, 'daemon --slice');
      const undo = () => {
        putBack();
        place.kill(node, 'daemon --slice');
      };
      return { description: node, undo, ...faulty(place, node) };
    },
  },
  {
    name: 'clock of a gateway set',
    phases: ['measure', 'redirect'],
    withinMs: 400,
    before: (place, random) => {
      const { node } = random.pick(place.vn.gateways);
      shifts.set(place, place.shiftClock(node));
      return { description: node, undo: () => void place.kill(node, 'daemon --slice'), ...faulty(place, node) };
    },
    strike: ({ place, random }) => {
      const shiftMs = random.pick([-3_600_000, -700, 700, 3_600_000]);
      writeFileSync(shifts.get(place)!, String(shiftMs));
      return { description: `by ${shiftMs} ms` };
    },
  },
  {
    name: 'database locked',
    phases,
    withinMs: 50,
    strike: async ({ place }) => {
      const unlock = place.lockDatabase();
      await new Promise((resolve) => setTimeout(resolve, lockedMs));
      unlock();
      return { description: `for ${lockedMs} ms` };
    },
  },
  {
    name: 'disk full',
    phases,
    withinMs: 50,
    strike: ({ place }) => ({ description: '', undo: place.fillDisk() }),
  },
  {
    name: daemonKilled,
    phases,
    withinMs: 500,
    strike: ({ place, random, from, to }) => {
      const node = random.pick([...new Set([...from.values(), ...to.values()])]);
      return { description: `${place.killDaemons(node)} processes on ${node}`, node };
    },
  },
];

/** The files that shift clocks, by place. */
const shifts = new WeakMap<Place, string>();

/** Picks a node without an end host, since end hosts count the traffic. */
function anyNode({ place, random, from, to }: Attempt): string {
  return random.pick([...new Set([...place.vn.gateways.map(({ node }) => node), ...from.values(), ...to.values()])]);
}

/** These need a network stack per node, or a disk of their own. */
const ofKernelOnly: readonly string[] = ['node cut off', 'disk full'];

/** They hit an armed gateway, or the clocks that it needs; single routers move without. */
const ofRedirectionsOnly: readonly string[] = [
  'gateway killed while armed',
  'gateway hangs while armed',
  'gateway refuses to arm',
  'clock of a gateway set',
];

/** Faults in any phase, in the phases of the mode. */
export function faultsOf(dataplane: Dataplane, mode: Mode): Fault[] {
  return allFaults
    .filter(({ name }) => dataplane === 'kernel' || !ofKernelOnly.includes(name))
    .filter(({ name }) => !isByRouter(mode) || !ofRedirectionsOnly.includes(name))
    .filter(({ name }) => isLiving(mode) || name !== daemonKilled)
    .map((fault) => (fault.phases === phases ? { ...fault, phases: phasesOf[mode] } : fault));
}

/** In user space the agent forwards, so that its node loses packets without it. */
function faulty({ dataplane }: Place, node: string): Pick<AppliedFault, 'node'> {
  return dataplane === 'userspace' ? { node } : {};
}

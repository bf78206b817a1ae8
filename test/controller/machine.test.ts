/**
 * A controller may be killed at any moment, again and again. Whatever `resume` and `rollback` then do, no gateway ever
 * sends into an instance that is down, and in the end everything is old or everything is new. Nodes are simulated,
 * action by action; the machine decides.
 */
import { describe, expect, it } from 'vitest';
import { type PhaseName, stageOf } from '../../src/controller/base/phase.ts';
import { type Event, next, resumeFrom, type Step, undoFrom } from '../../src/controller/migration/machine.ts';

interface World {
  readonly phase: PhaseName;
  readonly outcome: string | undefined;
  readonly oldUp: boolean;
  readonly newUp: boolean;
  /** The instance that each gateway sends into. */
  readonly gateways: readonly ('old' | 'new')[];
}

type Action = Partial<World>;

const start: World = { phase: 'add nodes', outcome: undefined, oldUp: true, newUp: false, gateways: ['old', 'old'] };
const begin = (...phases: PhaseName[]): Action[] => phases.map((phase) => ({ phase }));

/** What the steps of a method do, in order; the journal comes first. */
type Actions = (step: Step, world: World) => Action[];

const ofInstance: Actions = (step, { phase }) => {
  switch (step) {
    case 'prepare':
      return [...begin('set up'), { newUp: true }, ...begin('clone', 'join gateways', 'prove', 'measure', 'redirect')];
    case 'redirect':
      return [{ gateways: ['new', 'old'] }, { gateways: ['new', 'new'] }];
    case 'redirect all':
      return [...begin('redirect'), { gateways: ['old', 'new'] }, { gateways: ['new', 'new'] }];
    case 'confirm':
      return begin('verify');
    case 'retire':
      return [...begin(...(phase === 'retire' ? [] : (['drain'] as const)), 'retire'), { oldUp: false }];
    case 'find gateways':
      return [];
    case 'send back':
      return [...begin('roll back'), { gateways: ['old', 'new'] }, { gateways: ['old', 'old'] }];
    case 'remove':
      return [...begin('remove the new instance'), { newUp: false }];
  }
};

/**
 * Of one switch that moves: its neighbours are the gateways here, and its places the instances. Each neighbour changes
 * at its instant, or later by a command.
 */
const ofFlow: Actions = (step, { phase }) => {
  switch (step) {
    case 'prepare':
      return [...begin('set up'), { newUp: true }, ...begin('clone', 'prove', 'flip')];
    case 'redirect':
    case 'redirect all':
      return [...begin('flip'), { gateways: ['old', 'new'] }, { gateways: ['new', 'new'] }];
    case 'confirm':
      return begin('verify');
    case 'retire':
      return [...begin(...(phase === 'retire' ? [] : (['drain'] as const)), 'retire'), { oldUp: false }];
    case 'find gateways':
      return [];
    case 'send back':
      return [...begin('roll back'), { gateways: ['new', 'old'] }, { gateways: ['old', 'old'] }];
    case 'remove':
      return [...begin('remove the new place'), { newUp: false }];
  }
};

const methods = [
  { method: 'instance', actionsOf: ofInstance },
  { method: 'flow', actionsOf: ofFlow },
] as const;

describe.each(methods)('method $method', ({ method, actionsOf }) => {
  const stageIn = (state: PhaseName) => stageOf({ state, options: JSON.stringify({ method }) });

  function expectSound({ gateways, oldUp, newUp }: World, told: string): void {
    for (const gateway of gateways) expect(gateway === 'old' ? oldUp : newUp, told).toBe(true);
  }

  /**
   * All worlds in which a command may leave this one: killed after each action, or ended with up to `failures` failed
   * steps.
   */
  function run(world: World, first: Step, failures: number, told: string, left: Map<string, World>): void {
    let now = world;
    const actions = actionsOf(first, world);
    const see = (seen: World) => {
      expectSound(seen, told);
      left.set(JSON.stringify(seen), seen);
    };
    const go = (event: Event, seen: World, failuresLeft: number) => {
      const following = next(first, event);
      const then = `${told} ${first} ${event},`;
      if (typeof following === 'string') run(seen, following, failuresLeft, then, left);
      else see({ ...seen, outcome: following.outcome });
    };
    for (const action of actions) {
      see(now);
      // The last action of `prepare` begins the redirection: if `prepare` failed, it has not begun.
      if (failures > 0) go('failed', now, failures - 1);
      now = { ...now, ...action };
    }
    see(now);
    if (failures > 0 && first !== 'prepare') go('failed', now, failures - 1);
    go('done', now, failures);
  }

  const isOver = ({ outcome }: World) => outcome === 'completed' || outcome === 'rolled-back';

  function recover(world: World, command: 'resume' | 'rollback', failures: number, left: Map<string, World>): void {
    const stage = stageIn(world.phase);
    if (command === 'rollback' && stage === 'retiring') {
      expect(() => undoFrom(stage)).toThrow('is already being taken down');
      return;
    }
    const first = command === 'resume' ? resumeFrom(stage) : undoFrom(stage);
    // Before it prepares again, `resume` removes what exists of the new instance.
    const at = first === 'prepare' ? { ...world, newUp: false } : world;
    run({ ...at, outcome: undefined }, first, failures, `${command} in '${world.phase}':`, left);
  }

  describe('a migration that is killed and resumed or rolled back any number of times', () => {
    const reached = new Map<string, World>();
    run(start, 'prepare', 2, 'migrate:', reached);
    for (let before = 0; before < reached.size; ) {
      before = reached.size;
      for (const world of [...reached.values()].filter((one) => !isOver(one))) {
        for (const command of ['resume', 'rollback'] as const) recover(world, command, 1, reached);
      }
    }
    const worlds = [...reached.values()];

    it('no gateway sends into an instance that is down', () => {
      // Asserted in every world on the way; here only that there were many worlds, in all stages.
      expect(worlds.length).toBeGreaterThan(40);
      expect(new Set(worlds.map(({ phase }) => stageIn(phase)))).toEqual(
        new Set(['before', 'redirecting', 'retiring']),
      );
    });

    it('the migration ends wholly on the new instance, or wholly on the old one', () => {
      for (const { outcome, gateways, oldUp, newUp } of worlds.filter(isOver)) {
        expect({ gateways, oldUp, newUp }).toEqual(
          outcome === 'completed'
            ? { gateways: ['new', 'new'], oldUp: false, newUp: true }
            : { gateways: ['old', 'old'], oldUp: true, newUp: false },
        );
      }
    });

    it.each(['resume', 'rollback'] as const)('an undisturbed %s ends the migration', (command) => {
      for (const world of worlds.filter((one) => !isOver(one))) {
        const left = new Map<string, World>();
        recover(world, command, 0, left);
        const last = [...left.values()].at(-1);
        if (last === undefined) expect(stageIn(world.phase)).toBe('retiring');
        else expect(last.outcome).toBe(command === 'resume' ? 'completed' : 'rolled-back');
      }
    });
  });
});

import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { planInstance } from '../../../src/planning/instance.ts';
import { judgeNode, judgeVn } from '../../../src/service/health/judge.ts';
import { defaultRule, type Evidence } from '../../../src/service/health/rule.ts';
import { planWatches } from '../../../src/service/health/watch-plan.ts';
import { readSlice } from '../../../src/slicefile/index.ts';

const slice = readSlice(fileURLToPath(new URL('../../../slices/three-node.yaml', import.meta.url)));
const vn = slice.vns[0]!;
const instance = planInstance(slice, vn, vn.placements.get('initial')!, 0);
const plan = planWatches(slice, vn, instance);

/** Returns the reports of all gateways, in which the probes that `isLost` names are missed. */
function reportsWhere(isLost: (gateway: string, target: string) => boolean, missed = 4) {
  return new Map(
    plan.watchers.map((watcher) => [
      watcher.name,
      new Map(
        watcher.targets.map(({ name }): [string, Evidence] => [
          name,
          isLost(watcher.name, name) ? { missed, answered: 0 } : { missed: 0, answered: 9 },
        ]),
      ),
    ]),
  );
}

const broken = (reports: ReturnType<typeof reportsWhere>) =>
  judgeVn(vn, plan, reports)
    .filter(({ evidence }) => (evidence?.missed ?? 0) > 0)
    .map(({ kind, name }) => `${kind} ${name}`);

describe('the plan of watches', () => {
  it('every gateway probes every router and other gateway, and every end host probes its gateway', () => {
    for (const { name: watcher, targets } of plan.watchers) {
      const [, gateway] = /^gateway (.*)$/.exec(watcher) ?? [];
      const host = vn.endHosts.find(({ name }) => watcher === `end host ${name}`);
      const peers = vn.gateways.flatMap(({ name }) => (name === gateway ? [] : [`gateway:${name}`]));
      expect(targets.map(({ name }) => name).toSorted()).toEqual(
        host === undefined
          ? [...vn.routers.map(({ name }) => `router:${name}`), ...peers].toSorted()
          : [`gateway:${host.gateway}`],
      );
    }
    expect(plan.watchers.length).toBe(vn.gateways.length + vn.endHosts.length);
  });

  it('the probes cover every tunnel that traffic takes', () => {
    const covered = new Set(plan.watchers.flatMap(({ targets }) => targets.flatMap(({ tunnel }) => tunnel ?? [])));
    expect([...covered].toSorted()).toEqual([...plan.tunnels].toSorted());
  });

  it('each watcher has its own id, and a name for each address that it probes', () => {
    for (const { targets } of plan.watchers) expect(new Set(targets.map(({ to }) => to)).size).toBe(targets.length);
    expect(new Set(plan.watchers.map(({ id }) => id)).size).toBe(plan.watchers.length);
  });
});

describe('what the probes say', () => {
  it('is nothing bad where all are answered', () => expect(broken(reportsWhere(() => false))).toEqual([]));

  it('a broken tunnel is down, and so is the path over it', () => {
    const isOver = (gateway: string, target: string) =>
      (gateway === 'gateway ga' && /^(router:b|gateway:gb)$/.test(target)) ||
      (gateway === 'gateway gb' && /^(router:a|gateway:ga)$/.test(target));
    expect(broken(reportsWhere(isOver))).toEqual(['tunnel a-b', 'path ga-gb', 'path gb-ga']);
  });

  it('a dead router is down, and so are all its tunnels and all paths to its gateway', () => {
    const isDead = (gateway: string, target: string) =>
      gateway === 'gateway ga' || /^(router:a|gateway:ga)$/.test(target);
    const reports = reportsWhere((watcher, target) => isDead(watcher, target) && !watcher.startsWith('end host'));
    expect(broken(reports)).toEqual([
      'router a',
      'tunnel a-b',
      'tunnel a-c',
      'tunnel ga-a',
      'path ga-gb',
      'path ga-gc',
      'path gb-ga',
      'path gc-ga',
    ]);
  });

  it('there is no evidence about what is behind a router that does not answer', () => {
    const reports = new Map([...reportsWhere(() => true)].filter(([watcher]) => watcher === 'gateway ga'));
    const said = judgeVn(vn, plan, reports);
    expect(said.find(({ name }) => name === 'b')?.evidence).toBeUndefined();
    expect(said.find(({ name }) => name === 'a')?.evidence).toEqual({ missed: 4, answered: 0 });
  });

  it('there is no evidence without probes', () => {
    expect(judgeVn(vn, plan, new Map()).every(({ evidence, by }) => evidence === undefined && by === 'no probe')).toBe(
      true,
    );
  });
});

describe('a node', () => {
  const lost = { missed: 9, answered: 0 };
  const there = { missed: 0, answered: 5 };

  it('a node is up while its agent answers, whatever is broken on it', () =>
    expect(judgeNode('p1', there, [lost], defaultRule).evidence).toEqual(there));

  it('a node is not down while something on it answers', () =>
    expect(judgeNode('p1', lost, [there], defaultRule).evidence).toEqual({ missed: 3, answered: 0 }));

  it('a node is down if neither its agent nor anything on it answers', () =>
    expect(judgeNode('p1', lost, [{ missed: 5, answered: 0 }], defaultRule).evidence).toEqual({
      missed: 5,
      answered: 0,
    }));

  it('a node that carries nothing gets three times the patience', () => {
    expect(judgeNode('p4', { missed: 11, answered: 0 }, [], defaultRule).evidence?.missed).toBe(3);
    expect(judgeNode('p4', { missed: 12, answered: 0 }, [undefined], defaultRule).evidence?.missed).toBe(4);
  });

  it('a node is at most suspect while no agent answers, unless probes of what it carries say more', () => {
    expect(judgeNode('p4', { missed: 99, answered: 0 }, [undefined], defaultRule, true).evidence?.missed).toBe(3);
    expect(judgeNode('p4', lost, [{ missed: 5, answered: 0 }], defaultRule, true).evidence?.missed).toBe(5);
  });
});

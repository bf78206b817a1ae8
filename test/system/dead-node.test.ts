/** A router's node is dead: the VN moves away from it, and the router is made from its record. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { migrationText } from '../../src/cli/migration-text.ts';
import { keepConnections } from '../../src/controller/base/connections.ts';
import type { Context } from '../../src/controller/base/context.ts';
import type { LiveStatus } from '../../src/controller/live.ts';
import { type MigrateResult, migrate } from '../../src/controller/migrate.ts';
import { withAgents } from '../../src/controller/nodes/agents.ts';
import type { PlanResult } from '../../src/controller/plan.ts';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import type { ReconcileResult } from '../../src/controller/reconcile.ts';
import type { SliceStatus } from '../../src/controller/status.ts';
import { VnmError } from '../../src/model/errors.ts';
import { openStore } from '../../src/store/store.ts';
import { cutNode, healNode } from '../../src/testbed/underlay.ts';
import { type AgentTarget, connectAgent } from '../../src/transport/agent-connection.ts';
import { ip, namespacesOf, processesOf, routes } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';
import { routerLink } from '../support/status.ts';

/** The three-node slice with a quarter of its latencies. */
function quickSlice(directory: string): string {
  const path = join(directory, 'quick.yaml');
  const quicker = (_: string, before: string, ms: string) => `${before}${Math.ceil(Number(ms) / 4)}`;
  const text = readFileSync(gallery('three-node'), 'utf8');
  writeFileSync(path, text.replace(/(\[\w+, \w+, )(\d+)(?=\])/g, quicker).replace(/(default: )(\d+)/, quicker));
  return path;
}

const prefix = '10.65.200.0/24';
/** Pairs of end hosts that need router a. */
const needing = 'ea to eb, ea to ec, eb to ea, ec to ea';

// Without a service, every command waits for a dead node until SSH gives up.
vi.setConfig({ testTimeout: 180_000 });

describeAsRoot('a dead node', () => {
  const own = ownTestbed(quickSlice);
  beforeAll(() => own.vnm.ok('install three'));

  /** Cuts a node off: no packet reaches or leaves it, and its SSH server does not answer. */
  async function cut(node: string): Promise<void> {
    await cutNode(own.testbed, node);
    signal(node, 'SIGSTOP');
  }
  async function heal(node: string): Promise<void> {
    signal(node, 'SIGCONT');
    await healNode(own.testbed, node);
  }
  function signal(node: string, name: NodeJS.Signals): void {
    const servers = processesOf(own.namespace(node)).filter(({ command }) => command.includes('ssh-server'));
    expect(servers).toHaveLength(1);
    process.kill(servers[0]!.pid, name);
  }
  async function whileCut<T>(node: string, body: () => Promise<T>): Promise<T> {
    await cut(node);
    try {
      return await body();
    } finally {
      await heal(node);
    }
  }

  const status = async () => (await own.vnm.ok<SliceStatus>('status three')).vns[0]!;
  const linkOfA = async () => routerLink(await status(), 'a', 'b');
  const verified = async () => (await own.vnm.json<VerifyResult>('verify three')).json;
  const routersOn = (node: string) =>
    namespacesOf(own.testbed).filter((name) => name.startsWith(`${own.namespace(node)}.`));

  async function addRoute(): Promise<void> {
    const { namespace, own: address, peer } = await linkOfA();
    const { ifname } = (
      JSON.parse(ip(namespace, '-json address')) as { ifname: string; addr_info: { local: string }[] }[]
    ).find(({ addr_info }) => addr_info.some(({ local }) => local === address))!;
    ip(namespace, `route add ${prefix} via ${peer} dev ${ifname} onlink`);
  }

  /** Removes what is left on the node, and checks that nothing differs from the database. */
  async function expectCleanedUp(node: string): Promise<void> {
    const { repaired, unreachable, failed } = await own.vnm.ok<ReconcileResult>('reconcile three');
    expect(new Set(repaired.map((difference) => difference.node))).toEqual(new Set([node]));
    expect({ unreachable, failed, routers: routersOn(node) }).toEqual({ unreachable: [], failed: [], routers: [] });
    expect(await own.vnm.ok<LiveStatus>('status three --live')).toMatchObject({ equal: true, unreachable: [] });
  }

  it('a VN migrates away from a dead node, with a route that was added to its router by hand', async () => {
    await addRoute();
    const seen = await own.vnm.json<LiveStatus>('status three --live');
    expect(seen.json.differences).toMatchObject([{ node: 'p1', kind: 'route', additional: true }]);
    await whileCut('p1', async () => {
      const { code, json, stderr } = await own.vnm.json<MigrateResult>('migrate three --to final --traffic');
      const { outcome, control, fromRecord, unreachable, flows, error } = json;
      expect({ code, outcome, control, fromRecord, unreachable, error }).toEqual({
        code: 0,
        outcome: 'completed',
        control: 'remote',
        fromRecord: ['a'],
        unreachable: [],
        error: undefined,
      });
      const words = "node 'p1' was unreachable: the routes of router a were taken from the record";
      expect(stderr).toContain(words);
      expect(stderr).toContain(`not required after it: ${needing}`);
      expect(stderr).toContain(
        "node 'p1' cannot be reached, so leftovers stay there; run pl-vnm reconcile three later to remove them",
      );
      expect(migrationText(json)).toContain(words);
      const { events, migrations } = await own.vnm.ok<SliceStatus>('status three');
      expect(events).toContainEqual(
        expect.objectContaining({ kind: 'cloned-from-record', message: `VN 'three': ${words}` }),
      );
      expect(migrations[0]).toMatchObject({ outcome: 'completed', fromRecord: ['a'] });
      // Only flows that had to cross the dead node lose packets, until they are redirected.
      for (const { from, to, lost, received, predictedLost } of flows) {
        const crosses = from === 'ea' || to === 'ea';
        expect({ from, to, lost: lost > 0, arrived: received > 0, isPredicted: predictedLost !== null }).toEqual({
          from,
          to,
          lost: crosses,
          arrived: true,
          isPredicted: !crosses,
        });
      }
      expect(await verified()).toMatchObject({ ok: true });
      const { namespace, peer } = await linkOfA();
      expect(namespace).toContain(own.namespace('p4'));
      expect(routes(namespace, prefix)).toMatchObject([{ dst: prefix, gateway: peer }]);
    });
    expect(routersOn('p1')).toHaveLength(1);
    await expectCleanedUp('p1');
  });

  it('a VN migrates away from a dead node even if the controller is killed after the redirection', async () => {
    await whileCut('p4', async () => {
      const running = own.vnm.start('migrate three --to initial');
      await running.said('- verify\n');
      running.kill();
      await running.finished;
      const { code, json } = await own.vnm.json<MigrateResult>('resume three');
      expect({ code, outcome: json.outcome, fromRecord: json.fromRecord }).toEqual({
        code: 0,
        outcome: 'completed',
        fromRecord: ['a'],
      });
      expect(await verified()).toMatchObject({ ok: true });
    });
    expect((await linkOfA()).namespace).toContain(own.namespace('p1'));
    expect(routes((await linkOfA()).namespace, prefix)).toHaveLength(1);
    await expectCleanedUp('p4');
  });

  it('a rollback to a dead node keeps the pairs working that do not need it', async () => {
    await whileCut('p1', async () => {
      const plan = await own.vnm.ok<PlanResult>('plan three --to final --schedule optimal');
      const down = plan.schedules[0]!.flows.filter(({ oldLatencyMs }) => oldLatencyMs === null);
      expect(plan.latency).toBe('measured');
      expect(down.map(({ from, to, predictedLost }) => [from, to, predictedLost])).toEqual([
        ['ea', 'eb', 0],
        ['eb', 'ea', 0],
        ['ea', 'ec', 0],
        ['ec', 'ea', 0],
      ]);
      const running = own.vnm.start('migrate three --to final');
      await running.said('- verify\n');
      running.kill();
      await running.finished;
      const { code, stderr } = await own.vnm.json<MigrateResult>('rollback three');
      expect(code).toBe(0);
      expect(stderr).toContain(`back on the old instance, reachability not proven: ${needing}`);
      const { ok, pairs } = await verified();
      const broken = pairs.filter(({ reachable }) => !reachable).map(({ from, to }) => `${from}-${to}`);
      expect({ ok, broken }).toEqual({ ok: false, broken: ['ea-eb', 'ea-ec', 'eb-ea', 'ec-ea'] });
      expect(await status()).toMatchObject({ placement: 'initial', instances: [{ state: 'active' }] });
    });
    expect(await verified()).toMatchObject({ ok: true });
    expect(await own.vnm.ok<LiveStatus>('status three --live')).toMatchObject({ equal: true });
  });

  it('if only the SSH server of a node is dead, what its router forwards must arrive after a migration or rollback', async () => {
    signal('p1', 'SIGSTOP');
    try {
      const running = own.vnm.start('migrate three --to final');
      await running.said('- verify\n');
      running.kill();
      expect((await running.finished).stderr).not.toContain('did not reach each other before');
      const { code, stderr } = await own.vnm.json<MigrateResult>('rollback three');
      expect(code).toBe(0);
      expect(stderr).not.toContain('not proven');
      expect(stderr).not.toContain('not verified');
    } finally {
      signal('p1', 'SIGCONT');
    }
    expect(await verified()).toMatchObject({ ok: true });
  });

  describe('a process that keeps its connections', () => {
    const options = { control: 'gateway', schedule: 'optimal', granularity: 'gateway', traffic: false } as const;
    const dead = new VnmError('unreachable', "node 'p1' is dead");

    async function withProcess(body: (process: ReturnType<typeof processOn>) => Promise<void>): Promise<void> {
      const store = openStore(own.vnm.database);
      const running = processOn(store);
      try {
        await body(running);
      } finally {
        running.connections.closeAll();
        store.close();
      }
    }

    function processOn(store: Context['store']) {
      const attempts: string[] = [];
      const connections = keepConnections((target: AgentTarget, sshOptions) => {
        attempts.push(target.node);
        return connectAgent(target, sshOptions);
      });
      const phases = new Map<string, () => void>();
      const report: Context['report'] = ({ kind, text }) => {
        if (kind === 'phase') phases.get(text)?.();
      };
      const slice = store.slices.find('three')!;
      const context: Context = { store, acceptNewHostKeys: false, report, connections };
      const move = (to: string) => migrate(context, slice, slice.vns[0]!, { ...options, to });
      const connect = () => withAgents(context, slice, slice.nodes.keys(), async () => {});
      return { connections, attempts, phases, move, connect };
    }

    it('a process that knows of a dead node does not wait for it', async () => {
      await withProcess(async ({ connections, attempts, move, connect }) => {
        await connect();
        await whileCut('p1', async () => {
          connections.markUnreachable('three', 'p1', dead);
          attempts.length = 0;
          expect(await move('final')).toMatchObject({ outcome: 'completed', fromRecord: ['a'] });
          expect(attempts).toEqual([]);
        });
        connections.markReachable('three', 'p1');
        await expectCleanedUp('p1');
        expect(await move('initial')).toMatchObject({ outcome: 'completed', fromRecord: [] });
        expect(attempts).toEqual(['p1']);
      });
    });

    it('a process stops waiting for a node when it learns that it is dead', async () => {
      await withProcess(async ({ connections, phases, move, connect }) => {
        await connect();
        await whileCut('p1', async () => {
          // At this moment the command waits for its answer.
          phases.set('clone', () => void setTimeout(() => connections.markUnreachable('three', 'p1', dead), 500));
          expect(await move('final')).toMatchObject({ outcome: 'completed', fromRecord: ['a'] });
        });
      });
      await expectCleanedUp('p1');
      expect(await verified()).toMatchObject({ ok: true });
    });
  });
});

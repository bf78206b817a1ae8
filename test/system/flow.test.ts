/** A VN of switches forwards by OpenFlow entries, and its flows move to another switch without loss. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import type { LiveStatus } from '../../src/controller/live.ts';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { TraceResult } from '../../src/controller/trace.ts';
import { namespacesOf, routes } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRootUnless } from '../support/privileges.ts';
import { experimentSlice } from '../support/slices.ts';
import { lackForSwitches } from '../support/switches.ts';

const file = experimentSlice('switches');

describeAsRootUnless(lackForSwitches(), 'a VN of switches', () => {
  const own = ownTestbed(file);
  const lost = ({ flows }: MigrateResult) => flows.map((flow) => ({ lost: flow.lost, duplicated: flow.duplicated }));
  const nothing = [1, 2].map(() => ({ lost: 0, duplicated: 0 }));
  const namespaceOf = (router: string) => namespacesOf(own.testbed).filter((name) => name.endsWith(`-${router}`));
  const live = () => own.vnm.ok<LiveStatus>('status switches --live');

  beforeAll(async () => {
    await own.vnm.ok(`install ${file}`);
  });

  it('its end hosts reach each other only by the entries: the kernel does not forward', async () => {
    expect(await own.vnm.ok('verify switches')).toMatchObject({ ok: true });
    const { daemons } = await live();
    expect(daemons!.map(({ router, kind, state }) => ({ router, kind, state }))).toEqual(
      ['a', 'b', 'c'].map((router) => ({ router, kind: 'openvswitch', state: 'running' })),
    );
    const [b] = namespaceOf('b');
    expect(routes(b!).length).toBeGreaterThan(0);
    const { hops } = await own.vnm.ok<TraceResult>('trace switches e1 e2');
    expect(hops.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'gateway ga',
      'router a',
      'router b',
      'router c',
      'gateway gc',
      'end host e2',
    ]);
    expect(inNamespace(b!, 'nft', 'list', 'chain', 'ip', 'pl-vnm-switch', 'forward')).toContain('policy drop;');
  });

  it('a switch moves under traffic, and nothing is lost or arrives twice', async () => {
    const result = await own.vnm.ok<MigrateResult>('migrate switches --method flow --router b --to p4 --traffic');
    expect(result).toMatchObject({ outcome: 'completed', method: 'flow', to: 'final' });
    expect(result.flips!.map(({ neighbour }) => neighbour)).toEqual(['a', 'c']);
    expect(lost(result)).toEqual(nothing);
    await live();
  });

  it('a switch is started again when its daemon is killed', async () => {
    const [b] = namespaceOf('b');
    const [pid] = pidsIn(b!, 'ovs-vswitchd');
    process.kill(pid!, 'SIGKILL');
    while (pidsIn(b!, 'ovs-vswitchd').every((one) => one === pid)) await sleep(100);
    while (!((await own.vnm.json<{ ok?: boolean }>('verify switches')).json.ok === true)) await sleep(100);
  });

  it('a move whose controller is killed at the flip is undone', async () => {
    const running = own.vnm.start('migrate switches --method flow --to initial');
    await running.said('- flip\n');
    running.kill();
    await running.finished;
    await own.vnm.ok('rollback switches');
    await live();
    expect(await own.vnm.ok('status switches')).toMatchObject({ vns: [{ placement: 'final' }] });
    expect(namespaceOf('b')).toHaveLength(1);
  });

  it('other methods do not move a switch within its instance', async () => {
    const { code, json } = await own.vnm.json<{ error: { message: string } }>(
      'migrate switches --method vroom --to initial',
    );
    expect(code).toBe(1);
    expect(json.error.message).toBe("router 'b' is a switch, which method vroom does not move");
  });
});

function inNamespace(namespace: string, ...words: string[]): string {
  return execFileSync('nsenter', [`--net=/run/netns/${namespace}`, '--', ...words], { encoding: 'utf8' });
}

/** The processes of a program in a network namespace. */
function pidsIn(namespace: string, program: string): number[] {
  const id = `net:[${statSync(`/run/netns/${namespace}`).ino}]`;
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return (
          readlinkSync(`/proc/${pid}/ns/net`) === id && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === program
        );
      } catch {
        return false;
      }
    })
    .map(Number);
}

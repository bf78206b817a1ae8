/**
 * Single routers move under strict reverse-path checks, and lose nothing; what stands in the way is found beforehand.
 */
import { execFileSync } from 'node:child_process';
import { beforeAll, expect, it } from 'vitest';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import { ip, namespacesOf, routes } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

const file = gallery('three-node');

describeAsRoot('moving routers', () => {
  const own = ownTestbed(file);
  const inNode = (node: string, ...words: string[]) =>
    execFileSync('nsenter', [`--net=/run/netns/${own.namespace(node)}`, '--', ...words], { encoding: 'utf8' });
  const lost = ({ flows }: MigrateResult) => flows.map((flow) => ({ lost: flow.lost, duplicated: flow.duplicated }));
  const nothing = Array.from({ length: 6 }, () => ({ lost: 0, duplicated: 0 }));
  /** Of router a. */
  const routerNamespaces = () => namespacesOf(own.testbed).filter((name) => /three_\d+-a$/.test(name));
  const added = '10.65.128.0/24';
  const live = () => own.vnm.ok('status three --live');

  beforeAll(async () => {
    await own.vnm.ok(`install ${file} --urpf strict`);
  });

  it('one router moves under traffic with a route that somebody added, and nothing is lost or arrives twice', async () => {
    const [before] = routerNamespaces();
    const [way] = routes(before!).filter(({ gateway }) => gateway !== undefined);
    ip(before!, `route add ${added} via ${way!.gateway} dev ${way!.dev}`);
    const result = await own.vnm.ok<MigrateResult>('migrate three --method vroom --router a --to p4 --traffic');
    expect(result).toMatchObject({
      outcome: 'completed',
      method: 'vroom',
      to: null,
      moves: [
        { router: 'a', from: 'p1', to: 'p4' },
        { router: 'b', from: 'p2', to: 'p2' },
        { router: 'c', from: 'p3', to: 'p3' },
      ],
      flips: [{ neighbour: 'b' }, { neighbour: 'c' }, { neighbour: 'ga' }],
    });
    expect(lost(result)).toEqual(nothing);
    const [after] = routerNamespaces();
    expect(after).not.toBe(before);
    expect(routes(after!)).toContainEqual(
      expect.objectContaining({ dst: added, gateway: way!.gateway, dev: way!.dev }),
    );
    ip(after!, `route del ${added}`);
    await live();
  });

  it('the other routers follow one after the other, and the placement has its name again', async () => {
    const result = await own.vnm.ok<MigrateResult>('migrate three --method vroom --to final --traffic');
    expect(result).toMatchObject({ outcome: 'completed', from: null, to: 'final' });
    expect(lost(result)).toEqual(nothing);
    await live();
    expect(await own.vnm.ok('status three')).toMatchObject({ vns: [{ placement: 'final' }] });
  });

  it('a router does not move to a node that a neighbour does not reach, and everything is as before', async () => {
    inNode('p1', 'nft', 'add table ip block; add chain ip block input { type filter hook input priority 0 ; }');
    const { address } = own.testbed.nodes.find(({ name }) => name === 'p5')!;
    inNode('p1', 'nft', `add rule ip block input ip saddr ${address} udp dport 4789 drop`);
    const { code, json } = await own.vnm.json<MigrateResult>(
      'migrate three --method vroom --router a --to p1 --traffic',
    );
    expect({ code, outcome: json.outcome }).toEqual({ code: 5, outcome: 'rolled-back' });
    expect(json.error).toBe('no packet gets through between router a on p1 and router b on p5');
    expect(json.flips).toEqual([]);
    expect(lost(json)).toEqual(nothing);
    inNode('p1', 'nft', 'delete table ip block');
    await live();
  });

  it('a router does not move onto the node of its neighbour', async () => {
    expect(await own.vnm.json('migrate three --method vroom --router a --to p5')).toMatchObject({
      code: 1,
      json: {
        error: {
          code: 'unsupported',
          message:
            "a router cannot move to or from the node of its neighbour: router 'a' would join its neighbour, router 'b', on node 'p5'",
          hint: 'use --method instance, or a node without a neighbour of the router',
        },
      },
    });
  });

  it.each([
    ['--method vroom --to final --urpf loose', 'method vroom redirects no gateway, so it has no --urpf loose'],
    ['--method vroom --to final --schedule hold', 'method vroom redirects no gateway, so it has no --schedule hold'],
    ['--router a --to p1', 'method instance moves all routers of a VN'],
    ['--method vroom --router z --to p1', "VN 'three' has no router 'z'"],
    ['--method vroom --router a --to p99', "slice 'three' has no node 'p99'"],
  ])('migrate %s is refused', async (words, message) => {
    const { code, json } = await own.vnm.json<{ error: { message: string } }>(`migrate three ${words}`);
    expect(code).not.toBe(0);
    expect(json.error.message).toBe(message);
  });

  it('a migration whose controller is killed among its routers is undone, and another one finished', async () => {
    const phases = '- set up\n- clone\n- prove\n- flip\n';
    for (const [begun, command, placement] of [
      [`moving router 'b' from node 'p5' to node 'p2'\n${phases}`, 'rollback three', 'final'],
      [`moving router 'b' from node 'p5' to node 'p2'\n${phases}- verify\n- drain\n`, 'resume three', 'initial'],
    ] as const) {
      const running = own.vnm.start('migrate three --method vroom --to initial');
      await running.said(begun);
      running.kill();
      await running.finished;
      const { stderr } = await own.vnm.run('verify three');
      expect(stderr).toContain('each router is on its old or its new node');
      await own.vnm.ok(command);
      await live();
      expect(await own.vnm.ok('status three')).toMatchObject({ vns: [{ placement }] });
    }
  });
});

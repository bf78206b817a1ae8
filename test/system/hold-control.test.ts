/**
 * A router with a routing daemon moves in a ring of three (hello 1 s, dead 4 s) while its neighbours send it OSPF
 * packets: none of them misses a daemon that runs. Those that it hears on the old node are seen there, the others on
 * the new one; there none is missing that was sent after the first one, and their order is kept.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import { ip, namespacesOf } from '../support/kernel.ts';
import { observeOspf, sendOspf, sentOspf } from '../support/numbered-ospf.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { describeWithCriu } from '../support/programs.ts';

const textOf = (slice: string, kind: string) => `slice: ${slice}
vnet: 10.68.0.0/16
substrate:
  nodes: { p1: {}, p2: {}, p3: {}, p4: {}, ga: {}, gb: {}, ha: {}, hb: {} }
  latency: { default: 5 }
vn:
  name: ${slice}
  routers:
    - { name: a, kind: ${kind} }
    - { name: b, kind: ${kind} }
    - { name: c, kind: ${kind} }
  routing: { protocol: ospf, hello: 1, dead: 4 }
  links: [[a, b, 10], [b, c, 10], [a, c, 10]]
  gateways: { g1: { node: ga, router: a }, g2: { node: gb, router: b } }
  endHosts: { ea: { node: ha, gateway: g1 }, eb: { node: hb, gateway: g2 } }
  flows:
    - { from: ea, to: eb, rate: 3Mbps, payload: 200 }
    - { from: eb, to: ea, rate: 3Mbps, payload: 200 }
placements:
  initial: { a: p1, b: p2, c: p3 }
`;
/** More than any move takes, at 50 packets per second. */
const enough = { count: 6000, pauseMs: 20 };

describeWithCriu('OSPF packets while BIRD moves', () => {
  moves('held', 'bird', ['checkpoint', 'restart', 'graceful']);
});
describeAsRoot('OSPF packets while FRR moves', () => {
  moves('heldf', 'frr', ['graceful', 'restart']);
});

function moves(slice: string, kind: string, ways: readonly string[]): void {
  let file = '';
  const own = ownTestbed((directory) => {
    file = join(directory, `${slice}.yaml`);
    writeFileSync(file, textOf(slice, kind));
    return file;
  });
  const placesOf = (router: string) =>
    namespacesOf(own.testbed).filter((name) => new RegExp(`${slice}_\\d+-${router}$`).test(name));

  /** The end at a neighbour of its link to router a. */
  function endAt(router: string, suffix: RegExp) {
    const [namespace] = placesOf(router);
    const links = JSON.parse(ip(namespace!, '-json -4 address')) as {
      ifname: string;
      addr_info: { local: string }[];
    }[];
    const { ifname, addr_info } = links.find(({ ifname: name }) => suffix.test(name))!;
    return { namespace: namespace!, name: ifname, address: addr_info[0]!.local };
  }

  beforeAll(async () => {
    await own.vnm.ok(`install ${file} --urpf strict`);
  });

  /** Moves router a to the other one of its nodes, and sees the packets of its neighbours. */
  async function move(words: string) {
    const to = placesOf('a')[0]!.includes('-p1.') ? 'p4' : 'p1';
    const ends = [endAt('b', /l0b$/), endAt('c', /l2b$/)];
    const [old] = placesOf('a');
    const there = await observeOspf(old!);
    const sent = await Promise.all(ends.map(({ namespace, name }) => sentOspf(namespace, name)));
    const senders = ends.map(({ namespace, address }) => sendOspf(namespace, { from: address, first: 0, ...enough }));
    const running = own.vnm.start(`--json migrate ${slice} --method vroom --router a --to ${to} ${words} --traffic`);
    await running.said('- prove\n');
    const fresh = await observeOspf(placesOf('a').find((name) => name !== old)!);
    const { code, stdout, stderr } = await running.finished;
    for (const sender of senders) sender.end();
    // The last ones arrive, and what has seen them writes it down.
    await sleep(1000);
    for (const watching of [there, fresh, ...sent]) await watching.end();
    expect(code, `${stdout}${stderr}`).toBe(0);
    const result = JSON.parse(stdout) as MigrateResult;
    const [onOld, onNew] = [there.packets(), fresh.packets()];
    const perNeighbour = ends.map(({ address }, index) => {
      const isFrom = (packet: string) => packet.startsWith(`${address} `);
      const all = sent[index]!.packets().filter(isFrom);
      const [first] = onNew.filter(isFrom);
      const begin = all.indexOf(first!);
      const arrived = [...new Set(onNew.filter(isFrom))];
      return { all, before: all.slice(0, begin), after: all.slice(begin), begin, arrived };
    });
    return { result, perNeighbour, onOld: new Set(onOld) };
  }

  /** Packets for which the sockets of daemons had no room. */
  function droppedBySockets(namespace: string): number {
    const words = [`--net=/run/netns/${namespace}`, '--', 'cat', '/proc/net/raw'];
    const [, ...sockets] = execFileSync('nsenter', words, { encoding: 'utf8' }).trimEnd().split('\n');
    expect(sockets.length).toBeGreaterThan(0);
    return sockets.reduce((sum, line) => sum + Number(line.trim().split(/\s+/).at(-1)), 0);
  }

  function expectNoneMissing({ perNeighbour, onOld }: Awaited<ReturnType<typeof move>>): void {
    for (const { all, begin, before, after, arrived } of perNeighbour) {
      expect(begin).toBeGreaterThan(0);
      expect(new Set(all).size).toBe(all.length);
      expect(before.filter((packet) => !onOld.has(packet))).toEqual([]);
      // Without those that were sent after the observer ended.
      expect(arrived).toEqual(after.slice(0, arrived.length));
      expect(after.length - arrived.length).toBeLessThan(2);
    }
  }

  it.each(ways)('with --hold-control none misses a daemon that moves by %s', async (way) => {
    const moved = await move(`--control-plane ${way} --hold-control`);
    expectNoneMissing(moved);
    const { controlPlanes = [], neighbourEvents = [], flows } = moved.result;
    const packets = { sentOn: expect.any(Number), held: expect.any(Number), dropped: 0 };
    expect(controlPlanes).toMatchObject([{ router: 'a', way, packets }]);
    expect(controlPlanes[0]!.packets!.sentOn).toBeGreaterThan(0);
    expect(controlPlanes[0]!.packets!.held).toBeGreaterThan(0);
    if (way !== 'restart') expect(flows.map(({ lost }) => lost)).toEqual([0, 0]);
    if (way === 'checkpoint') expect(neighbourEvents.map(({ events }) => events)).toEqual([0, 0]);
    expect(droppedBySockets(placesOf('a')[0]!)).toBe(0);
    await own.vnm.ok(`status ${slice} --live`);
  });

  it('without it those are missing that arrive while there is no daemon', async () => {
    const { perNeighbour, onOld, result } = await move('--control-plane restart');
    const [{ packets } = {}] = result.controlPlanes!;
    expect(packets).toEqual({ sentOn: expect.any(Number) });
    for (const { begin, before } of perNeighbour) {
      expect(begin).toBeGreaterThan(0);
      expect(before.filter((packet) => !onOld.has(packet)).length).toBeGreaterThan(0);
    }
    await own.vnm.ok(`status ${slice} --live`);
  });
}

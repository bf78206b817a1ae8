/**
 * Compares our counts with those of iperf3 and the kernel. Without loss they agree easily, so a bottleneck on the
 * sender's link drops about a third of the packets, and counts them.
 */

import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual, promisify } from 'node:util';
import { beforeAll, expect, it } from 'vitest';
import { edgeNodes } from '../../src/controller/base/resolve.ts';
import { withAgents } from '../../src/controller/nodes/agents.ts';
import { startTraffic } from '../../src/controller/probe/traffic.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { openStore } from '../../src/store/store.ts';
import { ip } from '../support/kernel.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeWithProgram } from '../support/programs.ts';
import { gallery } from '../support/slices.ts';

const file = gallery('three-node');
const slice = readSlice(file);
const vn = slice.vns[0]!;
const flow = vn.flows[0]!;
const endOf = (name: string) => planVn(slice, vn).access.find(({ endHost }) => endHost === name)!.hostEnd;
const [sender, receiver] = [endOf(flow.from), endOf(flow.to)];
const payloadBytes = 1470;
const mtu = 1500;
/** The packets of about two seconds at the flow's rate. */
const packets = 250;

interface Counts {
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
}

describeWithProgram('iperf3', 'the built-in traffic and iperf3', () => {
  const own = ownTestbed(file);
  const inside = (node: string, ...command: string[]) => [`--net=/run/netns/${own.namespace(node)}`, '--', ...command];
  const tc = (words: string) =>
    execFileSync('nsenter', inside(sender.node, 'tc', ...words.split(' ')), { encoding: 'utf8' });

  beforeAll(async () => {
    await own.vnm.ok('install', file);
    tc(`qdisc add dev ${sender.interface} root tbf rate 1mbit burst 3200 limit 8000`);
  });

  it('the built-in traffic and iperf3 count the same as the kernel before a migration', compare);

  it('the built-in traffic and iperf3 count the same as the kernel after a migration', async () => {
    expect(await own.vnm.ok('migrate three --to final')).toMatchObject({ outcome: 'completed' });
    await compare();
  });

  async function compare() {
    const builtIn = await counted(runBuiltIn);
    const { passed, dropped } = builtIn.link;
    expect(builtIn.counts).toEqual({ sent: passed + dropped, received: passed, lost: dropped });

    const iperf = await counted(runIperf);
    expect(iperf.counts.sent).toBe(packets);
    // Its control connection uses the same link: once that announces the end, iperf3 does not count the last few
    // packets.
    const few = 0.02 * packets;
    expect(iperf.link.passed).toBeGreaterThan(iperf.counts.received);
    expect(Math.abs(iperf.link.dropped - iperf.counts.lost)).toBeLessThanOrEqual(few);

    const share = ({ counts: { lost, sent } }: { counts: Counts }) => lost / sent;
    expect(share(iperf)).toBeGreaterThan(0.2);
    expect(Math.abs(share(iperf) - share(builtIn))).toBeLessThan(0.05);
  }

  /** The counts of a run, and those of the kernel on the sender's link meanwhile. */
  async function counted(run: () => Promise<Counts>) {
    const before = await quietCounts();
    const counts = await run();
    const after = linkCounts();
    return { counts, link: { passed: after.passed - before.passed, dropped: after.dropped - before.dropped } };
  }

  /**
   * Waits until nothing has passed for a second: the last packets of `install` or a migration may still be in flight.
   */
  async function quietCounts() {
    for (let before = linkCounts(); ; ) {
      await sleep(1000);
      const now = linkCounts();
      if (isDeepStrictEqual(now, before)) return now;
      before = now;
    }
  }

  function linkCounts() {
    const [link] = JSON.parse(ip(own.namespace(sender.node), `-stats -json link show ${sender.interface}`));
    const [queue] = JSON.parse(tc(`-s -j qdisc show dev ${sender.interface}`));
    return { passed: link.stats64.tx.packets as number, dropped: queue.drops as number };
  }

  /** The flow as `migrate --traffic` runs it. */
  async function runBuiltIn(): Promise<Counts> {
    const store = openStore(own.vnm.database);
    const context = { store, acceptNewHostKeys: false, report: () => undefined };
    try {
      return await withAgents(context, slice, edgeNodes(vn), async (agents) => {
        const traffic = await startTraffic(agents, planVn(slice, { ...vn, flows: [flow] }), mtu);
        await sleep((packets * payloadBytes * 8 * 1000) / flow.rateBps);
        const [counted] = await traffic.finish();
        const { sent, received, lost } = counted!;
        return { sent, received, lost };
      });
    } finally {
      store.close();
    }
  }

  async function runIperf(): Promise<Counts> {
    const serve = inside(receiver.node, 'iperf3', '-s', '-1', '-B', receiver.address, '--forceflush');
    const server = spawn('nsenter', serve, { stdio: ['ignore', 'pipe', 'ignore'] });
    const ended = once(server, 'exit');
    try {
      // It listens before it prints this.
      await once(server.stdout, 'data');
      const ends = ['-c', receiver.address, '-B', sender.address];
      const load = ['-u', '-b', String(flow.rateBps), '-l', String(payloadBytes), '-k', String(packets)];
      const client = inside(sender.node, 'iperf3', ...ends, ...load);
      const { stdout } = await promisify(execFile)('nsenter', client, { timeout: 60_000 });
      const [, sent] = /\d+\/(\d+) \([^)]*\) +sender/.exec(stdout)!.map(Number);
      // It does not count packets that were lost after the last one that arrived.
      const [, missing, seen] = /(\d+)\/(\d+) \([^)]*\) +receiver/.exec(stdout)!.map(Number);
      return { sent: sent!, received: seen! - missing!, lost: sent! - (seen! - missing!) };
    } finally {
      server.kill();
      await ended;
    }
  }
});

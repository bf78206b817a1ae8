import { describe, expect, it } from 'vitest';
import { hopLine } from '../../src/cli/commands/ping.ts';
import type { Context } from '../../src/controller/base/context.ts';
import { ownPolicy } from '../../src/controller/nodes/agents.ts';
import { ping } from '../../src/controller/ping.ts';
import { type Hop, trace } from '../../src/controller/trace.ts';
import { timeLimits } from '../../src/model/patience.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { parseSlice } from '../../src/slicefile/index.ts';

const text = `slice: s
vnet: 10.65.0.0/16
substrate:
  nodes:
    p1: { host: 192.0.2.1 }
    p2: { host: 192.0.2.2 }
    g: { host: 192.0.2.3 }
    h: { host: 192.0.2.4 }
vn:
  name: vn
  routers: [a, b]
  links: [[a, b]]
  gateways: { ga: { node: g, router: a } }
  endHosts: { e: { node: h, gateway: ga } }
  flows: []
placements: { initial: { a: p1, b: p2 } }
`;
const slice = parseSlice(text, 'slice.yaml');
const vn = slice.vns[0]!;
const instance = planInstance(slice, vn, vn.placements.get('initial')!, 0);
const [ab, toA] = instance.links;
const access = planVn(slice, vn).access[0]!;

interface Answer {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly code?: number;
}

const counts = (received: number) => `1 packets transmitted, ${received} received, 0% packet loss, time 0ms\n`;
const reply = (from: string, ms = '1.5'): Answer => ({
  stdout: `64 bytes from ${from}: icmp_seq=1 ttl=64 time=${ms} ms\n${counts(1)}`,
});
const failure = (from: string, reason: string): Answer => ({
  stdout: `From ${from} icmp_seq=1 ${reason}\n${counts(0)}`,
  code: 1,
});
const expired = (from: string) => failure(from, 'Time to live exceeded');
const silence: Answer = { stdout: counts(0), code: 1 };

/** A node where `ping` with these words prints that. */
function played(node: string, answer: (words: readonly string[]) => Answer, plane = 'kernel') {
  const asked: string[][] = [];
  let current: Answer = silence;
  const run = (words: readonly string[]) => {
    asked.push([...words]);
    return answer(words);
  };
  const connection = {
    node,
    limits: timeLimits(),
    facts: { plane, policy: ownPolicy(slice), features: [] },
    onClose: () => () => {},
    close: () => {},
    stream: async (
      words: string[],
      { stdout, stderr }: { stdout: NodeJS.WritableStream; stderr: NodeJS.WritableStream },
    ) => {
      const said = run(words);
      stdout.write(said.stdout ?? '');
      stderr.write(said.stderr ?? '');
      return { code: said.code ?? 0 };
    },
    call: async (method: string, { command = [] }: { command?: string[] }) => {
      if (method === 'exec') current = run(command);
      if (method !== 'exec_read') return { id: 'id', accepted: true, open: false };
      const encoded = (text = '') => Buffer.from(text).toString('base64');
      return { stdout: encoded(current.stdout), stderr: encoded(current.stderr), ended: { code: current.code ?? 0 } };
    },
  };
  const context = {
    store: { instances: { active: () => ({ id: 1 }), plan: () => instance }, testbeds: { forSlice: () => undefined } },
    report: () => {},
    connections: { connect: async () => ({ connections: [connection], failures: new Map() }) },
  } as unknown as Context;
  return { context, asked };
}

/** The value after an option. */
const after = (words: readonly string[], flag: string) => words[words.indexOf(flag) + 1];

describe('trace', () => {
  /** Routers answer with the address of the link towards the end host. */
  const way = [access.gatewayEnd.address, toA!.b.address, ab!.b.address];
  const alongWay = (words: readonly string[]): Answer => {
    const target = words.at(-1)!;
    if (!words.includes('-t')) return reply(target, '0.25');
    const at = way[Number(after(words, '-t')) - 1]!;
    return at === target ? reply(at) : expired(at);
  };

  it('names the hops from an end host to a router, with the round-trip time of each', async () => {
    const { context, asked } = played('h', alongWay);
    const shown: Hop[] = [];
    const result = await trace(context, { slice, from: 'e', to: 'b' }, (hop) => shown.push(hop));
    expect(result).toEqual({
      slice: 's',
      vn: 'vn',
      from: { kind: 'end host', name: 'e' },
      to: { kind: 'router', name: 'b' },
      node: 'h',
      address: ab!.b.address,
      reached: true,
      hops: [
        { hop: 1, address: way[0], kind: 'gateway', name: 'ga', rttMs: 0.25 },
        { hop: 2, address: way[1], kind: 'router', name: 'a', rttMs: 0.25 },
        { hop: 3, address: way[2], kind: 'router', name: 'b', rttMs: 0.25 },
      ],
    });
    expect(shown).toEqual(result.hops);
    expect(asked[0]!.join(' ')).toBe(
      `env LC_ALL=C ping -n -c 1 -W 1 -t 1 -I ${access.hostEnd.address} ${ab!.b.address}`,
    );
  });

  it('a silent hop is asked twice, and the others follow', async () => {
    const silent = (words: readonly string[]) => (after(words, '-t') === '2' ? silence : alongWay(words));
    const { context, asked } = played('h', silent);
    const { hops, reached } = await trace(context, { slice, from: 'e', to: 'b' });
    expect([reached, hops[1]]).toEqual([true, { hop: 2 }]);
    expect(asked.filter((words) => after(words, '-t') === '2')).toHaveLength(2);
  });

  it('ends where a hop has no way on', async () => {
    const { context } = played('h', (words) => {
      if (!words.includes('-t')) return silence;
      return after(words, '-t') === '1' ? expired(way[0]!) : failure(way[1]!, 'Destination Net Unreachable');
    });
    const { hops, reached } = await trace(context, { slice, from: 'e', to: 'b' });
    expect(reached).toBe(false);
    expect(hops).toEqual([
      { hop: 1, address: way[0], kind: 'gateway', name: 'ga' },
      { hop: 2, address: way[1], kind: 'router', name: 'a', reason: 'Destination Net Unreachable' },
    ]);
  });

  it('ends after as many hops as the VN can have, or as many as asked for', async () => {
    const { context } = played('h', (words) => (words.includes('-t') ? expired('10.65.0.99') : silence));
    expect((await trace(context, { slice, from: 'e', to: 'b' })).hops).toHaveLength(5);
    const { hops, reached } = await trace(context, { slice, from: 'e', to: 'b', maxHops: 2 });
    expect([hops, reached]).toEqual([
      [
        { hop: 1, address: '10.65.0.99' },
        { hop: 2, address: '10.65.0.99' },
      ],
      false,
    ]);
  });

  it('hops are printed with their names, a * for what is not known', () => {
    expect(hopLine({ hop: 1, address: '10.0.0.1', kind: 'gateway', name: 'g', rttMs: 0.25 })).toBe(
      ' 1  gateway g (10.0.0.1)  0.250 ms',
    );
    expect(hopLine({ hop: 12 })).toBe('12  *');
    expect(hopLine({ hop: 3, address: '192.0.2.1', reason: 'Destination Net Unreachable' })).toBe(
      ' 3  192.0.2.1  *  Destination Net Unreachable',
    );
  });
});

describe('ping', () => {
  it('runs in the network of a router, which knows its source, and shows the usual lines', async () => {
    const { context, asked } = played('p1', (words) => reply(words.at(-1)!, '2.5'));
    let shown = '';
    const result = await ping(context, { slice, from: 'a', to: 'e', count: 7 }, (text) => {
      shown += text;
    });
    expect(asked).toEqual([`env LC_ALL=C ping -n -c 7 -W 2 ${access.hostEnd.address}`.split(' ')]);
    expect(result).toMatchObject({
      node: 'p1',
      address: access.hostEnd.address,
      sent: 1,
      received: 1,
      replies: [{ sequence: 1, ttl: 64, rttMs: 2.5 }],
      rttMs: { min: 2.5, mean: 2.5, max: 2.5 },
    });
    expect(shown).toBe(reply(access.hostEnd.address, '2.5').stdout);
  });

  it('nothing that comes back is a result, too', async () => {
    const { context } = played('g', () => silence);
    const result = await ping(context, { slice, from: 'ga', to: 'b', count: 1 });
    expect(result).toMatchObject({ sent: 1, received: 0, replies: [] });
    expect(result).not.toHaveProperty('rttMs');
  });

  it.each([
    [{ code: 127 }, 'unsupported', "node 'h' has no 'ping'"],
    [
      { code: 2, stderr: 'ping: connect: Network is unreachable\n' },
      'failed',
      `node 'h' cannot send echo requests to ${ab!.b.address}: ping: connect: Network is unreachable`,
    ],
  ])('a node that cannot send is one error: %j', async (said, code, message) => {
    const { context } = played('h', () => said);
    await expect(ping(context, { slice, from: 'e', to: 'b', count: 1 })).rejects.toMatchObject({ code, message });
  });

  it.each(['a', 'ga'])('%s of the userspace data plane is refused with what works instead', async (from) => {
    const { context, asked } = played(from === 'a' ? 'p1' : 'g', () => silence, 'userspace');
    const inUserSpace = parseSlice(text.replace('vnet:', 'dataplane: userspace\nvnet:'), 'slice.yaml');
    await expect(ping(context, { slice: inUserSpace, from, to: 'e', count: 1 })).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('is code in the agent of node'),
      hint: 'look at it with pl-vnm status s --live or pl-vnm counters s',
    });
    expect(asked).toEqual([]);
  });
});

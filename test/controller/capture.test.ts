import { describe, expect, it, vi } from 'vitest';
import type { Context } from '../../src/controller/base/context.ts';
import { type CaptureRequest, capture } from '../../src/controller/capture.ts';
import type { CaptureOutput } from '../../src/controller/inside/capture-output.ts';
import { ownPolicy } from '../../src/controller/nodes/agents.ts';
import { VnmError } from '../../src/model/errors.ts';
import { timeLimits } from '../../src/model/patience.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { parseSlice } from '../../src/slicefile/index.ts';
import { packetsOf, readBlocks } from '../support/pcapng.ts';

const text = `slice: s
vnet: 10.65.0.0/16
substrate:
  nodes: { p1: { host: 192.0.2.1 }, p2: { host: 192.0.2.2 }, g: { host: 192.0.2.3 }, h: { host: 192.0.2.4 } }
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
const [link, link2] = instance.links;
const access = planVn(slice, vn).access[0]!;

interface Said {
  readonly stdout?: Buffer;
  readonly stderr?: string;
  readonly code?: number;
}

/** The words that tcpdump prints at its end. */
const counts = '2 packets captured\n2 packets received by filter\n1 packet dropped by kernel\n';

/** A node whose capture prints these, one per request. */
function played(outputs: readonly (Said | Promise<Said>)[], facts: object = {}, node = 'p1') {
  const asked: { method: string; params: { interface?: string; namespace?: string; signal?: string } }[] = [];
  const waiting = [...outputs];
  const connection = {
    node,
    limits: timeLimits(),
    facts: { plane: 'kernel', policy: ownPolicy(slice), features: [{ name: 'capture', available: true }], ...facts },
    onClose: () => () => {},
    close: () => {},
    call: async (method: string, params: object) => {
      asked.push({ method, params });
      if (method === 'capture') return { id: 'id' };
      if (method !== 'exec_read') return {};
      const { stdout = Buffer.alloc(0), stderr = '', code } = await waiting.shift()!;
      const said = { stdout: stdout.toString('base64'), stderr: Buffer.from(stderr).toString('base64') };
      return code === undefined ? said : { ...said, ended: { code } };
    },
  };
  const context = {
    store: { instances: { active: () => ({ id: 1 }), plan: () => instance }, testbeds: { forSlice: () => undefined } },
    report: () => {},
    connections: { connect: async () => ({ connections: [connection], failures: new Map() }) },
  } as unknown as Context;
  return { context, asked };
}

function collected(fault?: VnmError, idleMs?: number) {
  const chunks: Buffer[] = [];
  let state = 'not opened';
  const open = async (): Promise<CaptureOutput> => {
    state = 'open';
    return {
      ...(idleMs === undefined ? {} : { idleMs }),
      write: async (blocks) => {
        if (fault !== undefined) throw fault;
        chunks.push(blocks);
      },
      close: async () => {
        state = 'closed';
      },
    };
  };
  return { open, file: () => Buffer.concat(chunks), state: () => state };
}

/** A pcap file, with times in ns, of frames from these MAC addresses. */
function pcap(...sources: string[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b23c4d);
  header.writeUInt32LE(200, 16);
  header.writeUInt32LE(1, 20);
  const records = sources.map((source, index) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(1_700_000_000, 0);
    record.writeUInt32LE(index, 4);
    record.writeUInt32LE(14, 8);
    record.writeUInt32LE(1500, 12);
    return Buffer.concat([record, Buffer.from(`ffffffffffff${source.replaceAll(':', '')}0800`, 'hex')]);
  });
  return Buffer.concat([header, ...records]);
}

const request: CaptureRequest = { slice, place: 'a', link: 'b' };

describe('capture', () => {
  it('writes what tcpdump takes, with directions and counts', async () => {
    const file = pcap(link!.a.mac!, link!.b.mac!);
    const { context, asked } = played([
      { stdout: file.subarray(0, 30), stderr: 'tcpdump: listening on it\n' },
      { stdout: file.subarray(30) },
      { stderr: counts, code: 0 },
    ]);
    const output = collected();
    expect(await capture(context, { ...request, snaplen: 200, count: 2 }, output.open)).toEqual({
      slice: 's',
      kind: 'router',
      name: 'a',
      node: 'p1',
      link: 'b',
      interface: link!.a.interface,
      packets: 2,
      dropped: 1,
    });
    expect(asked[0]).toEqual({
      method: 'capture',
      params: { namespace: expect.stringMatching(/-a$/), interface: link!.a.interface, snaplen: 200, count: 2 },
    });
    const blocks = readBlocks(output.file());
    expect(packetsOf(blocks).map(({ direction, timestampNs }) => [direction, timestampNs])).toEqual([
      [2, 1_700_000_000_000_000_000n],
      [1, 1_700_000_000_000_000_001n],
    ]);
    expect(blocks.at(-1)!.options.get(7)!.readBigUInt64LE(0)).toBe(1n);
    expect(output.state()).toBe('closed');
  });

  it('says why tcpdump ended, and keeps the packets before that', async () => {
    const { context } = played([
      { stdout: pcap(link!.a.mac!) },
      { stderr: 'tcpdump: listening on x, link-type EN10MB\ntcpdump: pcap_loop: The interface disappeared\n', code: 1 },
    ]);
    const output = collected();
    await expect(capture(context, request, output.open)).rejects.toMatchObject({
      code: 'failed',
      message:
        "node 'p1' ended the capture: tcpdump: pcap_loop: The interface disappeared; 1 packet was written before that",
    });
    expect(packetsOf(readBlocks(output.file()))).toHaveLength(1);
    expect(output.state()).toBe('closed');
  });

  it('opens no file when tcpdump does not begin', async () => {
    const { context } = played([{ stderr: 'tcpdump: x: No such device exists\n', code: 1 }]);
    const output = collected();
    await expect(capture(context, request, output.open)).rejects.toThrow(
      "node 'p1' ended the capture: tcpdump: x: No such device exists",
    );
    expect(output.state()).toBe('not opened');
  });

  it('ends on the node when the file cannot be written', async () => {
    const full = new VnmError('failed', 'cannot write f: no space left on device');
    const { context, asked } = played([{ stdout: pcap(link!.a.mac!) }]);
    const output = collected(full);
    await expect(capture(context, request, output.open)).rejects.toMatchObject({ message: full.message });
    expect(asked.at(-1)).toMatchObject({ method: 'exec_signal', params: { signal: 'KILL' } });
    expect(output.state()).toBe('closed');
  });

  it.each([
    ['ga', 'g', 'the gateway', { link: 'a' }, 'a', link2!.a.interface],
    ['ga', 'g', 'the access link', { link: 'e' }, 'e', access.gatewayEnd.interface],
    ['host:e', 'h', 'the end host', {}, 'ga', access.hostEnd.interface],
  ])(
    'takes the packets at %s (node %s, %s) in the network of the node',
    async (place, node, _what, given, to, name) => {
      const { context, asked } = played([{ stdout: pcap() }, { stderr: counts, code: 0 }], {}, node);
      const result = await capture(context, { slice, place, ...given }, collected().open);
      expect(result).toMatchObject({ node, link: to, interface: name });
      expect(asked[0]!.params).toEqual({ interface: name, snaplen: 262_144 });
    },
  );

  it('needs the link where there are several', async () => {
    const { context } = played([]);
    await expect(capture(context, { slice, place: 'ga' }, collected().open)).rejects.toMatchObject({
      code: 'usage',
      message: "gateway 'ga' has several links",
      hint: 'select one with --link NAME: a, e',
    });
  });

  it('ends on the node when the reader of a pipe is gone and no packets come', async () => {
    const gone = new VnmError('failed', 'cannot write the packets: EPIPE');
    let writes = 0;
    const open = async (): Promise<CaptureOutput> => ({
      idleMs: 1,
      close: async () => {},
      write: async () => {
        writes += 1;
        if (writes > 2) throw gone;
      },
    });
    const { context, asked } = played([{ stdout: pcap() }, new Promise<Said>(() => {})]);
    await expect(capture(context, request, open)).rejects.toBe(gone);
    expect(asked.at(-1)).toMatchObject({ method: 'exec_signal', params: { signal: 'KILL' } });
  });

  it('a pipe without packets has counts in between, and remains a pcapng file', async () => {
    const late = Promise.withResolvers<Said>();
    const { context } = played([{ stdout: pcap(link!.a.mac!) }, late.promise]);
    const output = collected(undefined, 1);
    const taken = capture(context, request, output.open);
    await vi.waitFor(() => expect(readBlocks(output.file()).length).toBeGreaterThan(4));
    late.resolve({ stderr: counts, code: 0 });
    expect(await taken).toMatchObject({ packets: 1 });
    const types = readBlocks(output.file()).map(({ type }) => type);
    expect(types.slice(0, 3)).toEqual([0x0a0d0d0a, 1, 6]);
    expect(new Set(types.slice(3))).toEqual(new Set([5]));
  });

  it('refuses a node of the userspace data plane', async () => {
    const { context } = played([], { plane: 'userspace' }, 'h');
    const inUserSpace = parseSlice(text.replace('vnet:', 'dataplane: userspace\nvnet:'), 'slice.yaml');
    await expect(capture(context, { slice: inUserSpace, place: 'e' }, collected().open)).rejects.toMatchObject({
      code: 'unsupported',
      message: "end host 'e' has no interface of the kernel (userspace data plane)",
    });
  });

  it('refuses a node without tcpdump', async () => {
    const { context, asked } = played([], { features: [{ name: 'capture', available: false }] });
    const output = collected();
    await expect(capture(context, request, output.open)).rejects.toMatchObject({
      code: 'unsupported',
      message: "node 'p1' has no 'tcpdump', which takes the packets",
      hint: 'install the package tcpdump on the node',
    });
    expect([asked, output.state()]).toEqual([[], 'not opened']);
  });
});

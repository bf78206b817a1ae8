/**
 * For tests: the forwarding of one node, over tables of a planned state; what it sends and delivers stays in memory.
 */
import { planOperations } from '../../../src/agent/dataplane/planner/plan.ts';
import type { KernelState } from '../../../src/agent/dataplane/planner/state.ts';
import { createCounters, type DropReason } from '../../../src/agent/dataplane/userspace/counters.ts';
import { createForwarder, headroom } from '../../../src/agent/dataplane/userspace/forwarder.ts';
import { encodeTunnelHeader } from '../../../src/agent/dataplane/userspace/header.ts';
import {
  checksum,
  destinationOf,
  ipv4HeaderBytes,
  read16,
  sourceOf,
  ttlOf,
  udpPacket,
  write16,
} from '../../../src/agent/dataplane/userspace/ipv4.ts';
import { atOnce } from '../../../src/agent/dataplane/userspace/steps.ts';
import { createSwitches, type SwitchKey } from '../../../src/agent/dataplane/userspace/switches.ts';
import { prepareTables, switchesOf } from '../../../src/agent/dataplane/userspace/tables.ts';
import { formatAddress, parseAddress } from '../../../src/model/address.ts';
import { type OperationInput, operationSchema } from '../../../src/vsys/operations.ts';
import { testPolicy } from '../../support/agent-node.ts';

const policy = testPolicy('n_');
export const router = 'n_r';
export const key = '0123456789abcdef';
const instance = 3;
const firstVni = 4097;

const noState: KernelState = {
  stacks: new Map([['', { links: new Map(), routes: new Map(), settings: new Map() }]]),
  nexthops: new Map(),
  rules: new Set(),
};

/** Number, and the other end's UDP address, of tunnel `t0`, `t1` and so on. */
const endOf = (tunnel: number) => ({ vni: firstVni + tunnel, remote: `192.0.2.${1 + tunnel}`, port: 4001 + tunnel });

interface UdpAddress {
  readonly remote: string;
  readonly port: number;
}

interface TunnelPlace {
  /** By default the router's. */
  readonly namespace?: string | undefined;
  readonly mtu?: number;
  readonly urpf?: 'strict' | 'feasible' | 'loose';
}

/** `pv001-tN`, with the address 10.65.N.1 and the neighbour 10.65.N.2; `namespace: ''` is the node's own stack. */
export function tunnel(index: number, { namespace = router, mtu = 1400, urpf }: TunnelPlace = {}): OperationInput[] {
  const place = { interface: `pv001-t${index}`, ...(namespace === '' ? {} : { namespace }) };
  const address = { address: `10.65.${index}.1`, peer: { address: `10.65.${index}.2` } };
  return [
    { op: 'tunnel_up', kind: 'udp', ...place, instance, key, mtu, ...endOf(index) },
    { op: 'vif_up', ...place, ...address, ...(urpf === undefined ? {} : { urpf }) },
  ];
}

/** A route of the router: over tunnels, or of another type. */
export function route(prefix: string, to: readonly number[] | string, weights: readonly number[] = []): OperationInput {
  const add = { op: 'vroute', action: 'add', namespace: router, prefix } as const;
  if (typeof to === 'string') return { ...add, type: to as 'blackhole' };
  const nexthops = to.map((index, position) => {
    return { interface: `pv001-t${index}`, via: `10.65.${index}.2`, weight: weights[position] ?? 1 };
  });
  return { ...add, nexthops };
}

interface PacketOptions {
  readonly from: string;
  readonly to: string;
  readonly ttl?: number;
  /** Of the whole packet. */
  readonly bytes?: number;
  readonly dontFragment?: boolean;
  readonly protocol?: number;
  readonly text?: string;
}

/** A UDP packet with room for a tunnel's header before it. */
export function packetOf(options: PacketOptions): Buffer {
  const { from, to, ttl = 64, dontFragment = true, protocol = 17, text = '' } = options;
  const { bytes = ipv4HeaderBytes + 8 + text.length } = options;
  const payload = Buffer.alloc(bytes - ipv4HeaderBytes - 8);
  payload.write(text);
  const ends = { from: parseAddress(from), to: parseAddress(to) };
  const packet = udpPacket(headroom, ends, { fromPort: 1000, toPort: 2000 }, [payload]);
  packet[headroom + 6] = dontFragment ? 0x40 : 0;
  packet[headroom + 8] = ttl;
  packet[headroom + 9] = protocol;
  return withChecksum(packet);
}

export function withChecksum(packet: Buffer): Buffer {
  write16(packet, headroom + 10, 0);
  write16(packet, headroom + 10, checksum(packet, headroom, headroom + ipv4HeaderBytes));
  return packet;
}

/**
 * What tests compare of a packet; `text` is the payload of one with UDP, `icmp` type, code and rest of one with ICMP.
 */
interface Seen {
  readonly from: string;
  readonly to: string;
  readonly ttl: number;
  readonly text?: string;
  readonly icmp?: readonly number[];
}

function seen(packet: Buffer, start: number): Seen {
  if (checksum(packet, start, start + ipv4HeaderBytes) !== 0) throw new Error('a packet has a wrong checksum');
  const ends = { from: formatAddress(sourceOf(packet, start)), to: formatAddress(destinationOf(packet, start)) };
  const at = start + ipv4HeaderBytes;
  const isIcmp = packet[start + 9] === 1 && packet.length >= at + 8;
  const text = packet.toString('latin1', at + 8, start + read16(packet, start + 2)).replaceAll('\0', '');
  const content = isIcmp ? { icmp: [packet[at]!, packet[at + 1]!, packet.readUInt32BE(at + 4)] } : { text };
  return { ...ends, ttl: ttlOf(packet, start), ...content };
}

/** A packet that went out by a tunnel. */
interface Sent extends Seen {
  readonly tunnel: number;
}

export function forwardingOf(...first: OperationInput[]) {
  const switches = createSwitches();
  const counters = createCounters();
  const sent: Sent[] = [];
  const delivered: (Seen & { readonly namespace: string })[] = [];
  const parts = { policy, switches, counters };
  let state = planned(noState, [{ op: 'netns_up', namespace: router, urpf: 'strict' }, ...first]);
  switches.put(switchesOf(state), new Map());
  const forwarder = createForwarder(atOnce(prepareTables(state, parts)), {
    values: switches.values,
    counters,
    send(buffer, start, port, address) {
      const datagram = buffer.subarray(start);
      const index = datagram.readUInt32BE(4) - firstVni;
      const end = endOf(index);
      const header = encodeTunnelHeader({ instance, vni: end.vni, key });
      const isRight = port === end.port && address === end.remote && datagram.subarray(0, headroom).equals(header);
      if (!isRight) throw new Error('a datagram has the header or the address of another tunnel');
      sent.push({ tunnel: index, ...seen(datagram, headroom) });
    },
    deliver: (stack, packet, start) => delivered.push({ namespace: stack.namespace, ...seen(packet, start) }),
  });

  /** As it comes in by a tunnel. */
  function arrive(index: number, packet: Buffer, { remote, port }: UdpAddress = endOf(index)): void {
    encodeTunnelHeader({ instance, vni: endOf(index).vni, key }).copy(packet);
    forwarder.receive(packet, remote, port);
  }

  /** `meanwhile`: called between the steps of the preparation. Returns how many steps there were. */
  function applyInSteps(operations: readonly OperationInput[], meanwhile: () => void = () => {}): number {
    const next = planned(state, operations);
    switches.reserve(switchesOf(next));
    const steps = prepareTables(next, parts, forwarder.tables());
    for (let count = 1; ; count += 1) {
      const step = steps.next();
      if (step.done) {
        switches.put(switchesOf(next), switchesOf(state));
        forwarder.use(step.value);
        state = next;
        return count;
      }
      meanwhile();
    }
  }

  return {
    forwarder,
    sent,
    delivered,
    counters,
    arrive,
    apply: (...operations: OperationInput[]) => void applyInSteps(operations),
    applyInSteps,
    /** As an armed action does, without a word to the forwarding. */
    flip: (name: SwitchKey, value: number) => switches.change([[switches.slotOf(name)!, value]]),
    /** The reasons that dropped packets. */
    drops: () => Object.fromEntries(Object.entries(counters.drops).filter(([, count]) => count > 0)) as DropCounts,
  };
}

type DropCounts = Partial<Record<DropReason, number>>;

function planned(state: KernelState, operations: readonly OperationInput[]): KernelState {
  const parsed = operations.map((operation) => operationSchema.parse(operation));
  return planOperations(state, parsed, policy).state;
}

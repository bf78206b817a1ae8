import { beforeEach, expect, it } from 'vitest';
import { createStackEndpoints, type StackEndpoints } from '../../../src/agent/dataplane/userspace/endpoints.ts';
import { type Forwarder, headroom } from '../../../src/agent/dataplane/userspace/forwarder.ts';
import { icmpPacket, icmpTypes } from '../../../src/agent/dataplane/userspace/ipv4.ts';
import type { StackTables } from '../../../src/agent/dataplane/userspace/types.ts';
import { parseAddress } from '../../../src/model/address.ts';
import { packetOf, withChecksum } from './forwarding.ts';

const [own, other] = ['10.65.0.1', '10.65.0.2'];
/** Where `packetOf` sends. */
const port = 2000;
const stack = { namespace: '', addresses: new Set([parseAddress(own)]) } as unknown as StackTables;

let endpoints: StackEndpoints;
let sent: Buffer[];
let messages: string[];
let offered: number;
/** Whether a program's own stack has the address. */
let isAttached: boolean;

beforeEach(async () => {
  [sent, messages, offered, isAttached] = [[], [], 0, false];
  const forwarder = {
    originate: (_namespace: string, packet: Buffer) => void sent.push(packet),
    tables: () => ({ own: stack, stacks: new Map([['', stack]]) }),
  } as unknown as Forwarder;
  const offer = () => {
    if (isAttached) offered += 1;
    return isAttached;
  };
  endpoints = createStackEndpoints(() => forwarder, { packets: () => 0, bytes: () => 0 }, { offer });
  await endpoints.openUdp({ address: own, port, onMessage: (payload) => void messages.push(payload.toString()) }).bound;
});

const deliver = (packet: Buffer) => endpoints.deliver(stack, packet, headroom, packet.length);
const datagram = () => packetOf({ from: other, to: own, text: 'hello' });
const echoRequest = () => {
  const ends = { from: parseAddress(other), to: parseAddress(own) };
  return icmpPacket(headroom, ends, { type: icmpTypes.echo, code: 0, rest: 1 }, Buffer.from('x'));
};
const fragment = (packet: Buffer, flagsAndOffset: number) => {
  packet.writeUInt16BE(flagsAndOffset, headroom + 6);
  return withChecksum(packet);
};

it('a socket gets a whole datagram, and a whole echo request is answered', () => {
  deliver(datagram());
  deliver(echoRequest());
  expect(messages).toEqual(['hello']);
  expect(sent).toHaveLength(1);
});

it.each([
  ['first', 0x2000],
  ['later', 0x0032],
])(
  'no socket gets a %s fragment, and no echo request in it is answered, whatever it looks like',
  (_, flagsAndOffset) => {
    deliver(fragment(datagram(), flagsAndOffset));
    deliver(fragment(echoRequest(), flagsAndOffset));
    expect([messages, sent]).toEqual([[], []]);
  },
);

it('a program with a stack of its own gets fragments, which that stack reassembles', () => {
  isAttached = true;
  deliver(fragment(datagram(), 0x2000));
  deliver(fragment(datagram(), 0x0032));
  expect([offered, messages]).toEqual([2, []]);
});

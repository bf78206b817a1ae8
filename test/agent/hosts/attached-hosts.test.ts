import { beforeEach, describe, expect, it } from 'vitest';
import { createAttachedHosts } from '../../../src/agent/dataplane/userspace/attached-hosts.ts';
import { headroom } from '../../../src/agent/dataplane/userspace/forwarder.ts';
import { udpPacket } from '../../../src/agent/dataplane/userspace/ipv4.ts';
import { frameReader } from '../../../src/agent/hosts/frames.ts';
import { parseAddress } from '../../../src/model/address.ts';

const own = '10.64.0.1';
const packetFrom = (from: string) =>
  udpPacket(0, { from: parseAddress(from), to: parseAddress('10.64.0.3') }, { fromPort: 1, toPort: 2 }, [
    Buffer.from('x'),
  ]);

let sent: Buffer[];
let hosts: ReturnType<typeof createAttachedHosts>;
beforeEach(() => {
  sent = [];
  hosts = createAttachedHosts({
    subnet: '10.64.0.0/16',
    mtuAt: (address) => (address === own ? 1460 : undefined),
    originate: (packet) => sent.push(packet),
  });
});

describe('programs at end hosts', () => {
  it('send packets from the address that they are attached to', () => {
    const attachment = hosts.attach(own, () => {});
    expect(attachment).toMatchObject({ mtu: 1460, subnet: '10.64.0.0/16' });
    const packet = packetFrom(own);
    attachment.send(Buffer.concat([packet, Buffer.from('padding')]));
    expect(sent.map((one) => one.subarray(headroom))).toEqual([packet]);
  });

  it.each([
    ['with another source', packetFrom('10.64.0.2')],
    ['with a wrong header checksum', Buffer.from(packetFrom(own).fill(0, 10, 12))],
    ['that are too short', packetFrom(own).subarray(0, 25)],
    ['that are empty', Buffer.alloc(0)],
  ])('cannot send packets %s', (_what, packet) => {
    hosts.attach(own, () => {}).send(packet);
    expect(sent).toEqual([]);
  });

  it('get the packets for their address, until they end', () => {
    const taken: string[] = [];
    const attachment = hosts.attach(own, (packet) => taken.push(packet.toString()));
    expect(hosts.offer(parseAddress(own), Buffer.from('abcd'), 1, 3)).toBe(true);
    attachment.close();
    expect(hosts.offer(parseAddress(own), Buffer.from('abcd'), 1, 3)).toBe(false);
    expect(taken).toEqual(['bc']);
  });

  it('are refused where another one is, and let in when that has ended', () => {
    const first = hosts.attach(own, () => {});
    expect(() => hosts.check(own)).toThrow('another command runs at the end host with the address 10.64.0.1');
    expect(() => hosts.attach(own, () => {})).toThrow('another command runs');
    first.close();
    hosts.attach(own, () => {});
    first.close();
    expect(() => hosts.attach(own, () => {})).toThrow('another command runs');
  });

  it('are refused at an address that the node has not', () => {
    expect(() => hosts.attach('10.64.0.9', () => {})).toThrow('this node has no end host with the address 10.64.0.9');
  });
});

describe('a reader of frames', () => {
  it('finds the same messages however the stream is cut', () => {
    const messages = ['', 'a', 'b'.repeat(300)];
    const stream = Buffer.concat(
      messages.flatMap((message) => [Buffer.from([message.length >> 8, message.length & 255]), Buffer.from(message)]),
    );
    for (let size = 1; size <= stream.length; size += 1) {
      const read: string[] = [];
      const reader = frameReader((message) => read.push(message.toString()));
      for (let at = 0; at < stream.length; at += size) reader(stream.subarray(at, at + size));
      expect(read).toEqual(messages);
    }
  });
});

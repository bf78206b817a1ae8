/** The bytes of messages, against the layouts of the OpenFlow 1.4 specification (ONF TS-012). */
import { describe, expect, it } from 'vitest';
import {
  addEntry,
  changeOf,
  decode,
  deleteEntry,
  encode,
  errorWords,
  hello,
  parseEntries,
  types,
  wireEntry,
} from '../../../src/agent/openflow/messages.ts';

const numbers = new Map([
  ['pv1-0l0a', 1],
  ['pv1-0l1a', 2],
]);
const numberOf = (name: string) => numbers.get(name)!;
const output = { interface: 'pv1-0l1a', sender: '02:51:0a:00:00:01', receiver: '02:52:0a:00:00:02' };
const flow = wireEntry({ in: 'pv1-0l0a', source: '10.65.0.0/31', destination: '10.65.0.2/31', output }, numberOf);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('messages of OpenFlow 1.4', () => {
  it('a hello offers version 1.4 only', () => {
    // Version 5, type 0, 16 bytes; an element of type 1 with 8 bytes, of which bit 5 is set.
    expect(hex(hello(7))).toBe('0500001000000007' + '0001000800000020');
  });

  it('an entry matches port, type and both prefixes, and changes TTL and MAC addresses before it sends', () => {
    expect(hex(flow.match)).toBe(
      // OXM, 42 bytes without padding; in_port 1; IPv4; source and destination with masks.
      '0001002a' +
        '8000000400000001' +
        '80000a020800' +
        '800017080a410000fffffffe' +
        '800019080a410002fffffffe' +
        '000000000000',
    );
    expect(hex(flow.instructions)).toBe(
      // Apply actions, 64 bytes.
      '0004004000000000' +
        // Decrement the TTL; set eth_src, then eth_dst, padded to 16 bytes; output to port 2.
        '0018000800000000' +
        '001900108000080602510a0000010000' +
        '001900108000060602520a0000020000' +
        '0000001000000002' +
        '0000000000000000',
    );
  });

  it('an entry is added by a flow-mod that no packet waits for', () => {
    const bytes = addEntry(9, flow);
    expect(hex(bytes.subarray(0, 8))).toBe('050e00a000000009');
    // Cookie and its mask; table 0, command 0; no timeouts; priority.
    expect(bytes.readBigUInt64BE(8)).toBe(flow.cookie);
    expect(flow.cookie >> 32n).toBe(0x70766e6dn);
    expect(hex(bytes.subarray(16, 32))).toBe(
      `0000000000000000${'00000000'}0000${flow.priority.toString(16).padStart(4, '0')}`,
    );
    // No buffer, any port, any group; no flags, no importance.
    expect(hex(bytes.subarray(32, 48))).toBe('ffffffffffffffffffffffff00000000');
    expect(hex(bytes.subarray(48))).toBe(hex(flow.match) + hex(flow.instructions));
    expect(bytes.readUInt16BE(2)).toBe(bytes.length);
  });

  it('an entry is deleted strictly, by its cookie, without instructions', () => {
    const bytes = deleteEntry(9, flow);
    expect(bytes.readBigUInt64BE(16)).toBe(0xffffffffffffffffn);
    expect(bytes.readUInt8(25)).toBe(4);
    expect(hex(bytes.subarray(48))).toBe(hex(flow.match));
  });

  it('entries with the same match and another output have another cookie, and the same priority', () => {
    const entry = { in: 'pv1-0l0a', source: '10.65.0.0/31', destination: '10.65.0.2/31' };
    const other = wireEntry({ ...entry, output: { ...output, receiver: '02:51:0a:00:00:02' } }, numberOf);
    expect(other.cookie).not.toBe(flow.cookie);
    expect({ ...other, cookie: 0, instructions: 0 }).toEqual({ ...flow, cookie: 0, instructions: 0 });
  });

  it('flows go before destinations, and longer prefixes before shorter ones', () => {
    const priority = (destination: string, rest = {}) => wireEntry({ destination, output, ...rest }, numberOf).priority;
    const inOrder = [
      priority('10.65.0.0/16'),
      priority('10.65.0.2/31'),
      priority('10.65.0.2/32'),
      priority('10.65.0.2/31', { source: '10.65.255.0/24' }),
      flow.priority,
    ];
    expect(inOrder.toSorted((a, b) => a - b)).toEqual(inOrder);
    expect(new Set(inOrder).size).toBe(inOrder.length);
  });

  it('one change is a flow-mod and a barrier, several are an atomic bundle', () => {
    const add = (xid: number) => addEntry(xid, flow);
    const typesIn = (bytes: Buffer) => decode(bytes).messages.map(({ type }) => type);
    expect(typesIn(changeOf(5, [add]))).toEqual([types.flowMod, types.barrierRequest]);
    const bundle = changeOf(5, [add, add]);
    expect(typesIn(bundle)).toEqual([
      types.bundleControl,
      types.bundleAdd,
      types.bundleAdd,
      types.bundleControl,
      types.bundleControl,
      types.barrierRequest,
    ]);
    const { messages } = decode(bundle);
    expect(new Set(messages.map(({ xid }) => xid))).toEqual(new Set([5]));
    // Bundle 5: open, close, commit; atomic and ordered.
    expect([0, 3, 4].map((index) => hex(messages[index]!.body))).toEqual(
      ['0000', '0002', '0004'].map((step) => `00000005${step}0003`),
    );
    expect(hex(messages[1]!.body)).toBe(`0000000500000003${hex(add(5))}`);
  });

  it('messages are found however they are cut up', () => {
    const bytes = Buffer.concat([hello(1), encode(types.barrierReply, 2)]);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const first = decode(bytes.subarray(0, cut));
      const second = decode(Buffer.concat([first.rest, bytes.subarray(cut)]));
      expect([...first.messages, ...second.messages].map(({ xid }) => xid)).toEqual([1, 2]);
      expect(second.rest.length).toBe(0);
    }
  });

  it('the entries of an answer are read with their matches', () => {
    const fixed = Buffer.alloc(48);
    const entry = Buffer.concat([fixed, flow.match, flow.instructions]);
    entry.writeUInt16BE(entry.length, 0);
    entry.writeUInt16BE(flow.priority, 12);
    entry.writeBigUInt64BE(flow.cookie, 24);
    const head = Buffer.from('0001000100000000', 'hex');
    const { instructions: _, ...read } = flow;
    expect(parseEntries(Buffer.concat([head, entry, entry]))).toEqual({ entries: [read, read], more: true });
  });

  it('an error says what failed', () => {
    expect(errorWords(Buffer.from('00050002', 'hex'))).toBe('flow-mod failed, code 2');
  });
});

import { expect, it } from 'vitest';
import { createPeers, maxPeers, type PeerEvents } from '../../src/agent/dataplane/userspace/peers.ts';

const address = '127.0.0.1';

it('a further peer takes the place of the one that has been idle longest', () => {
  const closed: number[] = [];
  const events = new Map<number, PeerEvents>();
  const peers = createPeers(({ port }, event) => {
    events.set(port, event);
    return { send() {}, close: () => closed.push(port) };
  });
  const take = (port: number) => peers.take(Buffer.alloc(0), { address, port });
  for (let port = 1; port <= maxPeers; port += 1) take(port);
  take(1);
  events.get(2)!.used();
  take(maxPeers + 1);
  take(maxPeers + 2);
  expect(closed).toEqual([3, 4]);
  peers.close();
  expect(closed).toHaveLength(maxPeers + 2);
});

it('a peer that failed is opened again by its next datagram', () => {
  const got: string[] = [];
  let opened = 0;
  const events: PeerEvents[] = [];
  const peers = createPeers((_, event) => {
    opened += 1;
    events.push(event);
    // The first one fails while it is opened.
    if (opened === 1) event.failed();
    return { send: (datagram) => got.push(datagram.toString()), close() {} };
  });
  for (const text of ['a', 'b', 'c']) peers.take(Buffer.from(text), { address, port: 7 });
  events[1]!.failed();
  peers.take(Buffer.from('d'), { address, port: 7 });
  // What the first one still says does not concern the one that took its place.
  events[0]!.failed();
  peers.take(Buffer.from('e'), { address, port: 7 });
  expect({ got, opened }).toEqual({ got: ['b', 'c', 'd', 'e'], opened: 3 });
  peers.close();
});

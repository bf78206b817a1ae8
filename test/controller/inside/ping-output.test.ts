import { expect, it } from 'vitest';
import { readPing } from '../../../src/controller/inside/ping-output.ts';

it('replies, counts and duplicates of iputils are read', () => {
  const text = `PING 10.65.0.3 (10.65.0.3) from 10.65.0.1 : 56(84) bytes of data.
64 bytes from 10.65.0.3: icmp_seq=1 ttl=61 time=0.512 ms
64 bytes from 10.65.0.3: icmp_seq=1 ttl=61 time=0.799 ms (DUP!)
64 bytes from 10.65.0.3: icmp_seq=3 ttl=61 time=21 ms

--- 10.65.0.3 ping statistics ---
3 packets transmitted, 2 received, +1 duplicates, 33.3333% packet loss, time 2003ms
rtt min/avg/max/mdev = 0.512/10.756/21.000/10.244 ms
`;
  expect(readPing(text)).toEqual({
    sent: 3,
    received: 2,
    replies: [
      { address: '10.65.0.3', sequence: 1, ttl: 61, rttMs: 0.512 },
      { address: '10.65.0.3', sequence: 3, ttl: 61, rttMs: 21 },
    ],
    errors: [],
  });
});

it('errors on the way are read, with who sent them', () => {
  const text = `PING 10.65.0.3 (10.65.0.3) 56(84) bytes of data.
From 10.65.255.1 icmp_seq=1 Time to live exceeded
From 10.65.255.3 icmp_seq=2 Destination Net Unreachable

--- 10.65.0.3 ping statistics ---
2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 0ms
`;
  expect(readPing(text)).toEqual({
    sent: 2,
    received: 0,
    replies: [],
    errors: [
      { address: '10.65.255.1', reason: 'Time to live exceeded' },
      { address: '10.65.255.3', reason: 'Destination Net Unreachable' },
    ],
  });
});

it("BusyBox's form is read", () => {
  const text = `PING 10.65.0.3 (10.65.0.3): 56 data bytes
64 bytes from 10.65.0.3: seq=0 ttl=64 time=0.047 ms

--- 10.65.0.3 ping statistics ---
1 packets transmitted, 1 packets received, 0% packet loss
round-trip min/avg/max = 0.047/0.047/0.047 ms
`;
  expect(readPing(text)).toMatchObject({ sent: 1, received: 1, replies: [{ sequence: 0, rttMs: 0.047 }] });
});

it.each(['', 'ping: connect: Network is unreachable\n', 'PING 10.65.0.3 (10.65.0.3) 56(84) bytes of data.\n'])(
  'what did not come to sending is no report: %j',
  (text) => {
    expect(readPing(text)).toBeUndefined();
  },
);

it('a redirect is no error', () => {
  const text = `PING 10.70.0.9 (10.70.0.9) 56(84) bytes of data.
From 10.70.0.2: icmp_seq=1 Redirect Host(New nexthop: 10.70.0.3)
64 bytes from 10.70.0.9: icmp_seq=1 ttl=63 time=1.21 ms

--- 10.70.0.9 ping statistics ---
1 packets transmitted, 1 received, 0% packet loss, time 0ms
rtt min/avg/max/mdev = 1.210/1.210/1.210/0.000 ms
`;
  expect(readPing(text)).toMatchObject({ sent: 1, received: 1, errors: [] });
});

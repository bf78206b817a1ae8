import { expect, it } from 'vitest';
import { daemonsText } from '../../src/cli/live-text.ts';
import type { DaemonStatus } from '../../src/controller/nodes/daemons.ts';

const router = { vn: 'v', namespace: 'pv-x_0-a' } as const;

it('the table of daemons names neighbours that are routers, and says why a daemon is not known', () => {
  const running: DaemonStatus = {
    ...{ ...router, router: 'a', node: 'p1', kind: 'bird', state: 'running', version: '2.0.12', restarts: 1 },
    adjacencies: [
      { protocol: 'ospf', neighbour: '0.1.0.2', address: '10.0.0.1', state: 'Full/PtP', isUp: true, router: 'b' },
      { protocol: 'bgp', address: '10.0.0.9', state: 'Active', isUp: false },
    ],
    routes: { ospf: 12, connected: 2 },
  };
  const unknown: DaemonStatus = {
    ...{ ...router, router: 'b', node: 'p2', kind: 'frr', state: 'unknown', error: "node 'p2' is unreachable" },
  };
  const lines = daemonsText([running, unknown]).split('\n');
  expect(lines.map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['router', 'node', 'daemon', 'state', 'restarts', 'neighbours', 'routes'],
    expect.anything(),
    ['v/a', 'p1', 'bird 2.0.12', 'running', '1', 'b Full/PtP, 10.0.0.9 Active (bgp)', 'ospf 12, connected 2'],
    ['v/b', 'p2', 'frr', 'unknown', "node 'p2' is unreachable"],
  ]);
});

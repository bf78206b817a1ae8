/** What is measured: a relay that only passes datagrams on, and a node with one router of the userspace plane. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pinnedBy } from '../../../src/agent/dataplane/armable.ts';
import { stateFile } from '../../../src/agent/dataplane/userspace/state-file.ts';
import { createUserspaceDataPlane } from '../../../src/agent/dataplane/userspace/userspace-dataplane.ts';
import { systemClock } from '../../../src/clock/clock.ts';
import { formatPrefix } from '../../../src/model/address.ts';
import { operationSchema } from '../../../src/vsys/operations.ts';
import { testPolicy } from '../../support/agent-node.ts';
import { instance, key, prefixesOf, vnis } from './datagrams.ts';
import { routerBetween, type Side } from './router.ts';

const loopback = '127.0.0.1';
const bufferBytes = 4 * 1024 * 1024;

/** Ports of the ends. */
type Ends = Readonly<Record<Side, number>>;

/** A socket that sends without looking names up, as the plane's. */
export async function openSocket(address: string, port: number): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', lookup: (host, _options, callback) => callback(null, host, 4) });
  const listening = once(socket, 'listening');
  socket.bind({ address, port });
  await listening;
  socket.setRecvBufferSize(bufferBytes);
  socket.setSendBufferSize(bufferBytes);
  return socket;
}

/** Resolves to its port. */
export async function startRelay({ near, far }: Ends): Promise<number> {
  const socket = await openSocket(loopback, 0);
  socket.on('message', (datagram, sender) => {
    socket.send(datagram, 0, datagram.length, sender.port === near ? far : near, loopback);
  });
  return socket.address().port;
}

const namespace = 'bench_r';

/** Resolves to the port of its tunnels. `routes`: how many lead to the far end. */
export async function startRouter({ routes, ...ends }: Ends & { readonly routes: number }): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-bench-'));
  const file = stateFile(join(directory, 'state.json'));
  const parts = { address: loopback, port: 0, file, installed: async () => {}, log: console.error };
  try {
    const plane = await createUserspaceDataPlane(testPolicy('bench_'), systemClock, parts);
    const router = routerBetween(namespace, (side) => {
      const tunnel = { kind: 'udp', instance, key, vni: vnis[side], remote: loopback, port: ends[side] } as const;
      return { op: 'tunnel_up', interface: `pv001-${side}`, namespace, mtu: 1500, ...tunnel };
    });
    const far = { namespace, nexthops: [{ interface: 'pv001-far', via: '10.65.2.2' }] };
    const operations = [
      ...router,
      ...prefixesOf(routes).map((each) => {
        return { op: 'vroute', action: 'add', prefix: formatPrefix(each), ...far } as const;
      }),
    ];
    await plane.apply(
      operations.map((operation) => operationSchema.parse(operation)),
      () => pinnedBy([]),
    );
    return plane.port;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

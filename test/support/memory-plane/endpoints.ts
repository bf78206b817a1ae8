/** Sockets in memory. As with a kernel, packets arrive in a later turn of the event loop. */
import {
  bindError,
  type Endpoints,
  type Remote,
  type UdpEndpoint,
  type UdpOptions,
} from '../../../src/agent/dataplane/endpoints.ts';
import { linkAt, ownStack } from '../../../src/agent/dataplane/planner/state.ts';
import { VnmError } from '../../../src/model/errors.ts';
import { type At, comesBack, forward, type Host, hasAddress, type Network, waysTo } from './network.ts';

/** The bytes of the IPv4 and UDP headers. */
const headerBytes = 28;
/** The bytes of an echo request whose size does not matter. */
const smallBytes = 64;
const firstPort = 40_000;

interface Socket {
  readonly options: UdpOptions;
  connected?: Remote;
}

/** The sockets of all hosts, by address and port: an address belongs to one network stack. */
const socketsOf = new WeakMap<Host, Map<string, Socket>>();
const keyOf = ({ address, port }: Remote) => `${address}:${port}`;

export function createMemoryEndpoints(network: Network, host: Host): Endpoints {
  const own: At = { host, namespace: ownStack };
  const sockets = new Map<string, Socket>();
  socketsOf.set(host, sockets);
  let ports = firstPort;

  function openUdp(options: UdpOptions): UdpEndpoint {
    const { address, port: wanted = 0 } = options;
    const port = wanted === 0 ? nextPort(address) : wanted;
    const here = { address, port };
    const socket: Socket = { options };
    const error = reserve(here, socket);
    let isOpen = error === undefined;

    /** Delivers a packet to the socket at its destination. Without one, ECONNREFUSED travels back to the sender. */
    function deliver(data: Buffer, to: Remote, at: At): void {
      const target = at.namespace === ownStack ? socketsOf.get(at.host)?.get(keyOf(to)) : undefined;
      const hears = target?.connected === undefined || keyOf(target.connected) === keyOf(here);
      if (target !== undefined && hears) {
        target.options.onMessage?.(data, here);
        return;
      }
      forward(network, at, { from: to.address, to: address, bytes: smallBytes }, () => {
        if (!isOpen || socket.connected === undefined || keyOf(socket.connected) !== keyOf(to)) return;
        options.onError?.(systemError('ECONNREFUSED'));
      });
    }

    return {
      bound: error === undefined ? Promise.resolve(port) : Promise.reject(bindError(address, error)),
      connect(to, done) {
        const isThere = hasAddress(own, to.address) || waysTo(own, to.address, address).length > 0;
        if (isThere) socket.connected = to;
        setImmediate(done, isThere ? undefined : systemError('ENETUNREACH'));
      },
      send(packet, to = socket.connected, done) {
        if (!isOpen || to === undefined) return;
        const data = Buffer.concat([packet].flat());
        const bytes = headerBytes + data.length;
        setImmediate(() => {
          done?.(null);
          forward(network, own, { from: address, to: to.address, bytes }, (at) => deliver(data, to, at));
        });
      },
      queuedPackets: () => 0,
      queuedBytes: () => 0,
      makeRoom: async () => {},
      drops: async () => 0,
      async close() {
        if (isOpen) sockets.delete(keyOf(here));
        isOpen = false;
      },
    };
  }

  function nextPort(address: string): number {
    do ports += 1;
    while (sockets.has(keyOf({ address, port: ports })));
    return ports;
  }

  /** Returns why the socket cannot be opened. */
  function reserve(here: Remote, socket: Socket): Error | undefined {
    if (!hasAddress(own, here.address)) return systemError('EADDRNOTAVAIL');
    if (sockets.has(keyOf(here))) return systemError('EADDRINUSE');
    sockets.set(keyOf(here), socket);
    return undefined;
  }

  return {
    openUdp,
    echo: async ({ from, to, bytes = smallBytes }) =>
      to.map((address) => hasAddress(own, from) && comesBack(network, own, { from, to: address, bytes })),
    async packetSizes({ probes, smallest, largest }) {
      const sizes = probes.map(({ namespace = ownStack, from, to }) => {
        const at = { host, namespace };
        const passes = (bytes: number) => hasAddress(at, from) && comesBack(network, at, { from, to, bytes });
        return largestOf(smallest, largest, passes);
      });
      return { sizes };
    },
    pathMtu: async (addresses) =>
      addresses.map((address) => {
        const way = waysTo(own, address, address)[0];
        const link = way === undefined ? undefined : linkAt(host.state, { ...own, name: way.interface });
        if (link !== undefined) return link.mtu;
        throw new VnmError('failed', `no route to ${address}`);
      }),
  };
}

/** Null if not even the smallest passes. */
function largestOf(smallest: number, largest: number, passes: (size: number) => boolean): number | null {
  for (let size = largest; size >= smallest; size -= 1) if (passes(size)) return size;
  return null;
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

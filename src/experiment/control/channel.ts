/** Latency and jitter of the control channel: each gateway's SSH server gets a port that delays what passes. */

import { once } from 'node:events';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { NodeName } from '../../model/names.ts';
import type { TestbedPlaces } from '../../store/testbeds.ts';
import { DelayLine } from '../../testbed/delay-line.ts';
import type { InstalledVn, Undo } from '../parameters/parameter.ts';

/** Returns how many ms the next bytes are held. */
export type Delay = () => number;

export const constant =
  (ms: number): Delay =>
  () =>
    ms;

/** Exponentially distributed, so that a few are much longer than the mean. */
export const exponential =
  (meanMs: number): Delay =>
  () =>
    -meanMs * Math.log(1 - Math.random());

/**
 * Holds everything between the controller and the SSH servers of some nodes, each direction and connection by itself.
 * Connections that are open stay as they are. Only for nodes of the testbed.
 */
export async function delayControl(
  delays: ReadonlyMap<NodeName, Delay>,
  { context, slice }: Pick<InstalledVn, 'context' | 'slice'>,
): Promise<Undo> {
  if (delays.size === 0) return async () => {};
  const { testbeds } = context.store;
  const { id, record } = testbeds.forSlice(slice.name)!;
  const places = JSON.parse(record!) as TestbedPlaces;
  const hostKeys = readFileSync(places.knownHosts, 'utf8');
  const relays: Relay[] = [];
  const undo = async () => {
    testbeds.saveRecord(id, places, [slice.name]);
    writeFileSync(places.knownHosts, hostKeys);
    await Promise.all(relays.map(({ close }) => close()));
  };
  try {
    const nodes: TestbedPlaces['nodes'][number][] = [];
    for (const place of places.nodes) {
      const delay = delays.get(place.name);
      if (delay === undefined) {
        nodes.push(place);
        continue;
      }
      const relay = await relayTo(place.port, delay);
      relays.push(relay);
      appendFileSync(places.knownHosts, sameKey(hostKeys, place.port, relay.port));
      nodes.push({ ...place, port: relay.port });
    }
    testbeds.saveRecord(id, { ...places, nodes }, [slice.name]);
    return undo;
  } catch (error) {
    await undo();
    throw error;
  }
}

/** The lines of a known_hosts file for one port, for another port. */
function sameKey(hostKeys: string, from: number, to: number): string {
  const lines = hostKeys.split('\n').filter((line) => line.startsWith(`[127.0.0.1]:${from} `));
  return lines.map((line) => `${line.replace(`:${from} `, `:${to} `)}\n`).join('');
}

interface Relay {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens on a port of the loopback interface, and joins each connection to one to `target`. */
export async function relayTo(target: number, delay: Delay): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ host: '127.0.0.1', port: target, allowHalfOpen: true, noDelay: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => sockets.delete(from));
      hold(from, to, delay);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has an address with a port');
  return {
    port: address.port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Passes bytes, and then the end, on in their order, each held for its delay and for what came before it. */
function hold(from: Socket, to: Socket, delay: Delay): void {
  const line = new DelayLine<Buffer | undefined>();
  let timer: NodeJS.Timeout | undefined;
  const release = (): void => {
    line.release(performance.now(), (chunk) => {
      if (chunk === undefined) to.end();
      else to.write(chunk);
    });
    const nextMs = line.nextDueMs();
    timer =
      nextMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(release, Math.max(0, nextMs - performance.now()));
  };
  const add = (chunk: Buffer | undefined): void => {
    line.add(chunk, delay(), performance.now(), 0);
    clearTimeout(timer);
    release();
  };
  from.on('data', add);
  from.on('end', () => add(undefined));
  to.on('close', () => clearTimeout(timer));
}

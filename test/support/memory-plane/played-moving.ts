/** Checkpoints of the daemons of a host in memory: what moves is the daemon with its routes. */
import { createHash } from 'node:crypto';
import type { DaemonMoving } from '../../../src/agent/daemons/supervisor.ts';
import { type KernelRoute, type KnownDaemon, routeKey } from '../../../src/agent/dataplane/planner/state.ts';
import { VnmError } from '../../../src/model/errors.ts';
import type { Host, Network } from './network.ts';
import { birdProtocol, converge } from './played-ospf.ts';

interface Checkpoint {
  readonly daemon: KnownDaemon;
  readonly routes: readonly KernelRoute[];
}

/** `inTurn`: runs one body after the other, with all other requests to the host. */
export function playMoving(network: Network, host: Host, inTurn: <T>(body: () => T) => Promise<T>): DaemonMoving {
  const checkpoints = new Map<string, Buffer>();
  const incoming = new Map<string, Buffer>();

  function daemonIn(namespace: string): KnownDaemon {
    const daemon = host.state.daemons?.get(namespace);
    if (daemon !== undefined) return daemon;
    throw new VnmError('not-found', `there is no routing daemon in namespace '${namespace}'`);
  }

  function put(namespace: string, daemon: KnownDaemon | undefined): void {
    const daemons = new Map(host.state.daemons);
    if (daemon === undefined) daemons.delete(namespace);
    else daemons.set(namespace, daemon);
    host.state = { ...host.state, daemons };
  }

  function stackOf(namespace: string) {
    const stack = host.state.stacks.get(namespace);
    if (stack !== undefined) return stack;
    throw new VnmError('not-found', `there is no namespace '${namespace}'`);
  }

  function refuseDaemon(namespace: string): void {
    if (host.state.daemons?.has(namespace) !== true) return;
    throw new VnmError('conflict', `there is a routing daemon in namespace '${namespace}'`);
  }

  return {
    dump: (namespace) =>
      inTurn(() => {
        const daemon = daemonIn(namespace);
        if (daemon.state !== 'running')
          throw new VnmError('conflict', `the daemon in '${namespace}' is ${daemon.state}`);
        const routes = [...stackOf(namespace).routes.values()].filter(({ protocol }) => protocol === birdProtocol);
        const image = Buffer.from(JSON.stringify({ daemon, routes } satisfies Checkpoint));
        checkpoints.set(namespace, image);
        put(namespace, { ...daemon, state: 'moving' });
        return { bytes: image.length, sha256: digestOf(image) };
      }),
    read: ({ namespace, offset, bytes }) => {
      if (daemonIn(namespace).state !== 'moving') throw new VnmError('not-found', 'there is no checkpoint');
      return {
        data: checkpoints
          .get(namespace)!
          .subarray(offset, offset + bytes)
          .toString('base64'),
      };
    },
    write: ({ namespace, offset, data }) => {
      refuseDaemon(namespace);
      stackOf(namespace);
      const before = offset === 0 ? Buffer.alloc(0) : (incoming.get(namespace) ?? Buffer.alloc(0));
      if (before.length !== offset) throw new VnmError('conflict', `the checkpoint has ${before.length} bytes so far`);
      incoming.set(namespace, Buffer.concat([before, Buffer.from(data, 'base64')]));
    },
    restore: ({ namespace, bytes, sha256 }) =>
      inTurn(() => {
        refuseDaemon(namespace);
        const stack = stackOf(namespace);
        const image = incoming.get(namespace);
        if (image?.length !== bytes || digestOf(image) !== sha256)
          throw new VnmError('invalid-input', 'the checkpoint that arrived is not the one that was sent');
        const { daemon, routes } = JSON.parse(image.toString()) as Checkpoint;
        const all = new Map([...stack.routes, ...routes.map((route) => [routeKey(route), route] as const)]);
        host.state = { ...host.state, stacks: new Map(host.state.stacks).set(namespace, { ...stack, routes: all }) };
        put(namespace, daemon);
        incoming.delete(namespace);
        converge(network);
        return { processes: [] };
      }),
    settle: ({ namespace, outcome }) =>
      inTurn(() => {
        const daemon = host.state.daemons?.get(namespace);
        if (daemon === undefined) return;
        if (outcome === 'stayed') {
          if (daemon.state === 'moving') put(namespace, { ...daemon, state: 'running' });
          return;
        }
        if (daemon.state !== 'moving') throw new VnmError('conflict', `the daemon in '${namespace}' runs here`);
        // Its routes stay.
        put(namespace, undefined);
      }),
  };
}

function digestOf(image: Buffer): string {
  return createHash('sha256').update(image).digest('hex');
}

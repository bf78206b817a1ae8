/** The process that serves a slice on this node. It outlives the connection that started it. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { systemClock } from '../clock/clock.ts';
import { messageOf } from '../model/errors.ts';
import { lockedExitCode } from '../vsys/clean-start.ts';
import type { Policy } from '../vsys/policy.ts';
import { type Handlers, type RpcServer, serveRpc } from '../vsys/rpc.ts';
import { createArmed } from './armed/armed.ts';
import { startTimingThread, type TimingListeners } from './armed/thread.ts';
import type { ArmedContext } from './armed-requests.ts';
import { manageChannels } from './channels.ts';
import { takeLock } from './daemon-lock.ts';
import { createHandlers } from './handlers.ts';
import { endWhenIdle } from './idle.ts';
import { createInside } from './inside/inside.ts';
import { type Log, openLog } from './log.ts';
import { isInstalledByAdministrator } from './other-slices.ts';
import { agentPaths } from './paths.ts';
import { hasInstalled, openPlane } from './planes.ts';
import { openPolicy } from './policy-file.ts';
import { reach } from './reach.ts';
import { createStreams, type Streams } from './streams.ts';
import { resetInherited } from './surroundings.ts';
import { agentVersion } from './version.ts';
import { createWatches } from './watches.ts';

/** How long the answer to `shutdown` may take to leave. */
const farewellMs = 100;

export interface DaemonOptions {
  /** The policy to use if the node has no policy file. */
  readonly brought?: Policy | undefined;
  /** Whether to take the slice's lock; else the caller holds it. */
  readonly takesLock: boolean;
}

/**
 * Serves until told to end by a request or a signal. Only one daemon runs, the holder of the slice's lock. Throws
 * VnmError when it cannot start. `file`: the path of this program.
 */
export async function runDaemon(slice: string, file: string, { brought, takesLock }: DaemonOptions): Promise<void> {
  process.on('SIGHUP', () => {});
  const paths = agentPaths(slice);
  if (takesLock && !(await takeLock(paths.held))) process.exit(lockedExitCode);
  const lib = dirname(file);
  const isAdministrators = isInstalledByAdministrator(lib, slice);
  // Only a login that is root, or may become root, can bring a policy.
  const isOwnNode = brought !== undefined && !isAdministrators;
  const policyFile = await openPolicy(
    paths.policyDirectory,
    slice,
    { brought, isInstalledByAdministrator: isAdministrators },
    (policy) => hasInstalled(policy, paths),
  );
  const { policy } = policyFile;
  const log = openLog(paths.log);
  resetInherited(log);
  const facts = {
    ...agentVersion(file),
    pid: process.pid,
    startedAt: systemClock.wallMs(),
    node: process.version,
    process: randomUUID(),
  };
  const plane = await openPlane(policy, { paths, lib, digest: facts.digest, installed: policyFile.settle, log });
  const { dataPlane, others, ownAddresses, obstacles } = plane;
  const startThread = (listeners: TimingListeners) => startTimingThread(file, plane.createSupplier(), listeners);
  const armed = createArmed<ArmedContext>(startThread, policy.limits);
  const { endpoints } = dataPlane;
  const streams = createStreams(endpoints, systemClock, policy.limits);
  const watches = createWatches(endpoints, slice, systemClock);
  const inside = createInside(policy, isOwnNode, file);

  async function end(why: string): Promise<void> {
    log(`shutting down: ${why}`);
    rmSync(paths.socket, { force: true });
    rmSync(paths.hostSocket, { force: true });
    await streams.closeAll();
    await watches.closeAll();
    inside.commands.closeAll();
    await armed.close();
    await dataPlane.close();
    process.exit(0);
  }

  function fail(error: unknown): void {
    log(`failed: ${error instanceof Error ? error.stack : String(error)}`);
    process.exit(1);
  }

  process.on('uncaughtException', fail);
  process.on('SIGTERM', () => void end('received SIGTERM').catch(fail));
  const shutdown = () => void setTimeout(() => void end('requested by a client').catch(fail), farewellMs);
  const handlers = createHandlers({
    policy,
    policyFile,
    others,
    ownAddresses,
    facts,
    dataPlane,
    streams,
    watches,
    inside,
    isOwnNode,
    armed,
    reach: (params, ended) => reach(endpoints, params, ended),
    packetSizes: endpoints.packetSizes,
    obstacles,
    clock: systemClock,
    log,
    shutdown,
  });
  const server = serve(handlers, streams, log);
  endWhenIdle(
    server,
    () => policyFile.exists(),
    () => void end('nothing is installed').catch(fail),
  );
  if (plane.hosts !== undefined) {
    const { serveHosts } = await import('./hosts/serve.ts');
    await listen(serveHosts(plane.hosts, log), paths.hostSocket);
  }
  await listen(server, paths.socket);
  log(`serving slice '${slice}': version ${facts.version}, pid ${facts.pid}, node ${facts.node}`);
}

function serve(handlers: Handlers, streams: Streams, log: Log): Server {
  let connections = 0;
  const server = createServer();
  const serveOne = (socket: Socket, onHello: () => void): RpcServer => {
    connections += 1;
    const name = `connection ${connections}`;
    log(`${name} opened`);
    const senders = endedWith(streams);
    const hello: Handlers['hello'] = (params) => {
      onHello();
      return handlers.hello(params);
    };
    const channel = serveRpc(socket, socket, { ...handlers, hello, stream_send: senders.begin(handlers) });
    void channel.closed.then((reason) => {
      log(`${name} closed${reason === undefined ? '' : `: ${messageOf(reason)}`}`);
      senders.end();
    });
    return channel;
  };
  manageChannels(server, serveOne, log);
  return server;
}

/**
 * Stops the streams that a channel began to send when the channel closes: the controller that would stop them may have
 * been killed.
 */
function endedWith(streams: Streams) {
  const begun = new Set<string>();
  let isOver = false;
  const stop = (stream: string) => void streams.stop({ stream }).catch(() => {});
  return {
    begin:
      ({ stream_send: send }: Handlers): Handlers['stream_send'] =>
      async (params) => {
        const answer = await send(params);
        if (isOver) stop(params.stream);
        else begun.add(params.stream);
        return answer;
      },
    end: () => {
      isOver = true;
      begun.forEach(stop);
    },
  };
}

/** Listens on the socket. An existing socket belongs to a dead agent: a live one would hold the lock. */
async function listen(server: Server, path: string): Promise<void> {
  rmSync(path, { force: true });
  const umask = process.umask(0o177);
  server.listen(path);
  process.umask(umask);
  await once(server, 'listening');
}

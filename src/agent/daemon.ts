/** The process that serves a slice on this node, and lives on by itself. */
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { systemClock } from '../clock/clock.ts';
import { messageOf } from '../model/errors.ts';
import { type Handlers, type RpcServer, serveRpc } from '../vsys/rpc.ts';
import { createArmed } from './armed/armed.ts';
import type { ArmedContext } from './armed-requests.ts';
import { createKernelDataPlane } from './dataplane/kernel/kernel-dataplane.ts';
import { createHandlers } from './handlers.ts';
import { type Log, openLog } from './log.ts';
import { agentPaths } from './paths.ts';
import { loadPolicy, otherSubnets } from './policy.ts';
import { reach } from './reach.ts';
import { createStreams, type Streams } from './streams.ts';
import { agentVersion } from './version.ts';
import { createWatches } from './watches.ts';

/** Channels at a time: each is a process of root's, and a login may open as many as it likes. */
const maxConnections = 64;
/** Time for the answer to a shutdown to get out. */
const farewellMs = 100;

/**
 * Serves until it is told to end; whoever starts it holds the slice's lock, so that there is only one. Throws VnmError when it
 * cannot begin. `file`: of this program.
 */
export async function runDaemon(slice: string, file: string): Promise<void> {
  process.chdir('/');
  process.on('SIGHUP', () => {});
  const paths = agentPaths(slice);
  const policy = await loadPolicy(paths.policyDirectory, slice);
  const log = openLog(paths.log);
  const facts = { ...agentVersion(file), pid: process.pid, startedAt: systemClock.wallMs(), node: process.version };
  const dataPlane = createKernelDataPlane(policy, systemClock);
  const armed = createArmed<ArmedContext>(file, policy.limits);
  const streams = createStreams(systemClock, policy.limits);
  const watches = createWatches(slice, systemClock);

  async function end(why: string): Promise<void> {
    log(`ends: ${why}`);
    rmSync(paths.socket, { force: true });
    await streams.closeAll();
    await watches.closeAll();
    await armed.close();
    await dataPlane.close();
    process.exit(0);
  }

  function fail(error: unknown): void {
    log(`ends: ${error instanceof Error ? error.stack : String(error)}`);
    process.exit(1);
  }

  process.on('uncaughtException', fail);
  process.on('SIGTERM', () => void end('asked by a signal').catch(fail));
  const shutdown = () => void setTimeout(() => void end('asked by a client').catch(fail), farewellMs);
  const handlers = createHandlers({
    policy,
    otherSubnets: () => otherSubnets(paths.policyDirectory, slice),
    facts,
    dataPlane,
    streams,
    watches,
    armed,
    reach,
    clock: systemClock,
    log,
    shutdown,
  });
  await listen(serve(handlers, streams, log), paths.socket);
  log(`serves slice '${slice}': version ${facts.version}, pid ${facts.pid}, node ${facts.node}`);
}

function serve(handlers: Handlers, streams: Streams, log: Log): Server {
  let connections = 0;
  const server = createServer((socket: Socket) => {
    connections += 1;
    const name = `connection ${connections}`;
    log(`${name} opened`);
    const senders = endedWith(streams);
    const channel: RpcServer = serveRpc(socket, socket, { ...handlers, stream_send: senders.begin(handlers) });
    void channel.closed.then((reason) => {
      log(`${name} closed${reason === undefined ? '' : `: ${messageOf(reason)}`}`);
      senders.end();
    });
  });
  server.maxConnections = maxConnections;
  server.on('drop', () => log(`connection refused: there are ${maxConnections} already`));
  return server;
}

/** What a channel has begun to send ends with it: whoever would stop it may have been killed. */
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

/** A socket that is there is a dead agent's: a living one would hold the lock. */
async function listen(server: Server, path: string): Promise<void> {
  rmSync(path, { force: true });
  const umask = process.umask(0o177);
  server.listen(path);
  process.umask(umask);
  await once(server, 'listening');
}

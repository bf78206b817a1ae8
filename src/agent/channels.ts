/** The channels of an agent: limits their number and closes the unused ones. */
import type { Server, Socket } from 'node:net';
import { VnmError } from '../model/errors.ts';
import type { RpcServer } from '../vsys/rpc.ts';

/** The most channels at a time: each costs a root process, and a login may open any number. */
const maxChannels = 64;
/** The most sockets, including refused ones that have yet to read the reason. */
const maxSockets = 4 * maxChannels;
/** How long a client may take to say hello. A client says it at once, but its packet may be lost several times. */
const helloMs = 60_000;
/**
 * How long a client may be silent before the agent pings it. It then has the same time to answer, or the longer time
 * that it asks for.
 */
const silentMs = 60_000;
/** The upper limit of what a client may ask for. */
const maxSilentMs = 24 * 3_600_000;
/** How long a refused client may take to read the reason. */
const farewellMs = 1000;

interface Channel {
  readonly rpc: RpcServer;
  readonly socket: Socket;
  saidHello: boolean;
  /** How long the client says that it may be silent. */
  silentMs: number;
}

export interface ChannelTimes {
  readonly helloMs: number;
  readonly silentMs: number;
}

/**
 * Accepts the server's connections. `serve` begins to serve one, and calls back when its client has said hello. When
 * there are too many, the oldest channel without a hello is closed for the new one; if all have said hello, the new one
 * is refused. A client that is refused or closed gets the reason.
 */
export function manageChannels(
  server: Server,
  serve: (socket: Socket, onHello: () => void) => RpcServer,
  log: (event: string) => void,
  times: ChannelTimes = { helloMs, silentMs },
): void {
  const channels = new Set<Channel>();

  function sendAway(channel: Channel, error: VnmError): void {
    channels.delete(channel);
    channel.rpc.refuse(error);
    setTimeout(() => channel.socket.destroy(), farewellMs).unref();
  }

  server.maxConnections = maxSockets;
  server.on('drop', () => log(`connection dropped: ${maxSockets} are open`));
  server.on('connection', (socket: Socket) => {
    let channel: Channel | undefined;
    const rpc = serve(socket, () => {
      if (channel === undefined) return;
      channel.saidHello = true;
      void ask(channel);
    });
    channel = { rpc, socket, saidHello: false, silentMs: 0 };
    if (channels.size >= maxChannels) {
      const idle = [...channels].find(({ saidHello }) => !saidHello);
      if (idle === undefined) return sendAway(channel, full());
      sendAway(idle, madeRoom());
    }
    channels.add(channel);
    endWithoutHello(channel, times.helloMs, sendAway);
    endWhenSilent(channel, times.silentMs, sendAway);
    void rpc.closed.then(() => channels.delete(channel));
  });
}

type SendAway = (channel: Channel, error: VnmError) => void;

function endWithoutHello(channel: Channel, limitMs: number, sendAway: SendAway): void {
  // First read what came in while this process was busy.
  const check = () =>
    setImmediate(() => {
      if (!channel.saidHello) sendAway(channel, new VnmError('timeout', `no hello within ${limitMs / 1000} s`));
    });
  const timer = setTimeout(check, limitMs);
  void channel.rpc.closed.then(() => clearTimeout(timer));
}

/**
 * Closes a channel whose controller has vanished: its connection can stay open for hours. A client that waits for an
 * answer is not silent: with too many open requests the agent stops reading from it.
 */
function endWhenSilent(channel: Channel, stepMs: number, sendAway: SendAway): void {
  const { rpc, socket } = channel;
  let heard = socket.bytesRead;
  let silentSteps = 0;
  const timer = setInterval(() => {
    const isSilent = socket.bytesRead === heard && !rpc.isBusy();
    heard = socket.bytesRead;
    silentSteps = isSilent ? silentSteps + 1 : 0;
    if (silentSteps * stepMs >= Math.max(2 * stepMs, channel.silentMs)) {
      sendAway(channel, new VnmError('timeout', 'the controller does not respond'));
    } else if (isSilent) void ask(channel);
  }, stepMs);
  void rpc.closed.then(() => clearInterval(timer));
}

async function ask(channel: Channel): Promise<void> {
  channel.silentMs = Math.min((await channel.rpc.ping()) ?? 0, maxSilentMs);
}

function full(): VnmError {
  return new VnmError('conflict', `all ${maxChannels} channels to the agent are in use`, {
    hint: 'end other commands on this slice (each has a channel to its nodes), or wait for them',
  });
}

function madeRoom(): VnmError {
  return new VnmError(
    'timeout',
    `closed for another client: ${maxChannels} channels are open, and this one had not said hello`,
  );
}

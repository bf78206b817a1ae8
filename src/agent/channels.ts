/** The channels of an agent: how many there may be, and which of them end when they are of no use. */
import type { Server, Socket } from 'node:net';
import { VnmError } from '../model/errors.ts';
import type { RpcServer } from '../vsys/rpc.ts';

/** Channels at a time: each is a process of root's, and a login may open as many as it likes. */
const maxChannels = 64;
/** With those that are refused, until they have read why. */
const maxSockets = 4 * maxChannels;
/** A client says hello at once, but a packet on the way may be lost, again and again. */
const helloMs = 60_000;
/** A client that has been silent for so long is asked whether it is there, and has as long again to answer, or longer if it says so. */
const silentMs = 60_000;
/** Whatever it says. */
const maxSilentMs = 24 * 3_600_000;
/** Time to read why. */
const farewellMs = 1000;

interface Channel {
  readonly rpc: RpcServer;
  readonly socket: Socket;
  saidHello: boolean;
  /** For how long it may be silent, as far as it says. */
  silentMs: number;
}

export interface ChannelTimes {
  readonly helloMs: number;
  readonly silentMs: number;
}

/**
 * Lets the server's connections in. `serve` begins to serve one, and calls back when its client has said hello. Where there are too
 * many, one that has not said hello makes room for a newcomer, the oldest first; where all have, the newcomer is refused. Whoever is
 * sent away gets the reason.
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
  // What came in while this process was busy is read first.
  const check = () =>
    setImmediate(() => {
      if (!channel.saidHello) sendAway(channel, new VnmError('timeout', `no hello within ${limitMs / 1000} s`));
    });
  const timer = setTimeout(check, limitMs);
  void channel.rpc.closed.then(() => clearTimeout(timer));
}

/**
 * A controller may vanish without a word, and the connection that it came by stay for hours. One that waits for an answer is not silent:
 * at too many requests nothing more is read of what it says.
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
      sendAway(channel, new VnmError('timeout', 'no sign of life from the controller'));
    } else if (isSilent) void ask(channel);
  }, stepMs);
  void rpc.closed.then(() => clearInterval(timer));
}

async function ask(channel: Channel): Promise<void> {
  channel.silentMs = Math.min((await channel.rpc.ping()) ?? 0, maxSilentMs);
}

function full(): VnmError {
  return new VnmError('conflict', `${maxChannels} channels to it are in use already`, {
    hint: 'end other commands on this slice (each has a channel to its nodes), or wait for them',
  });
}

function madeRoom(): VnmError {
  return new VnmError('timeout', `${maxChannels} channels are open, and this one made room, for it had not said hello`);
}

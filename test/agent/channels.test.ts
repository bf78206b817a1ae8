import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ChannelTimes, manageChannels } from '../../src/agent/channels.ts';
import { createRpcClient, type Handlers, serveRpc } from '../../src/vsys/rpc.ts';

const patience = { timeout: 20_000 };
const never = 2 ** 31 - 1;

describe('manageChannels', () => {
  let directory: string;
  let path: string;
  let server: Server;
  let sockets: Socket[];
  /** What a request for the inventory waits for. */
  let slow: Promise<object>;
  let finish: (inventory: object) => void;
  beforeEach(() => {
    ({ promise: slow, resolve: finish } = Promise.withResolvers<object>());
    directory = mkdtempSync(join(tmpdir(), 'pl-vnm-channels-'));
    path = join(directory, 'socket');
    sockets = [];
  });
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(directory, { recursive: true });
  });

  async function start(times: Partial<ChannelTimes> = {}): Promise<void> {
    server = createServer();
    const serve = (socket: Socket, onHello: () => void) => {
      const hello = async () => {
        onHello();
        return {};
      };
      return serveRpc(socket, socket, { hello, inventory: () => slow } as unknown as Handlers);
    };
    manageChannels(server, serve, () => {}, { helloMs: never, silentMs: never, ...times });
    await new Promise<void>((resolve) => server.listen(path, resolve));
  }

  /** A connection that reads what it gets and sends nothing. */
  async function idle() {
    const socket = connect(path);
    sockets.push(socket);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    let isOver = false;
    socket.on('close', () => {
      isOver = true;
    });
    await new Promise((resolve) => socket.once('connect', resolve));
    return { socket, text: () => text, isOver: () => isOver };
  }

  function client(silentMs?: number) {
    const socket = connect(path);
    sockets.push(socket);
    return { socket, rpc: createRpcClient(socket, socket, silentMs) };
  }

  function openChannels(): Promise<number> {
    return new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
  }

  it('the oldest channel without a hello is closed, with the reason, when a new client finds all channels taken', async () => {
    await start();
    const first = client();
    await first.rpc.call('hello', {});
    const others = await Promise.all(Array.from({ length: 63 }, idle));
    const newcomers = [client(), client()];
    for (const { rpc } of newcomers) await rpc.call('hello', {});
    await expect.poll(() => others.filter(({ isOver }) => isOver()).length, patience).toBe(2);
    for (const { text } of others.filter(({ isOver }) => isOver())) {
      expect(text()).toContain('closed for another client: 64 channels are open, and this one had not said hello');
    }
    await first.rpc.call('hello', {});
  });

  it('a new client is refused, with the reason, when all channels are in use', async () => {
    await start();
    const all = Array.from({ length: 64 }, client);
    await Promise.all(all.map(({ rpc }) => rpc.call('hello', {})));
    await expect(client().rpc.call('hello', {})).rejects.toMatchObject({
      cause: {
        code: 'conflict',
        message: 'all 64 channels to the agent are in use',
        hint: expect.stringContaining('end other commands on this slice'),
      },
    });
    all[0]!.socket.destroy();
    await expect
      .poll(
        () =>
          client()
            .rpc.call('hello', {})
            .then(
              () => 'in',
              () => 'out',
            ),
        patience,
      )
      .toBe('in');
  });

  it('a channel on which no client says hello is closed, even one that is not read', async () => {
    await start({ helloMs: 50 });
    const [channel, unread] = [await idle(), connect(path)];
    sockets.push(unread);
    await expect.poll(channel.isOver, patience).toBe(true);
    expect(channel.text()).toContain('no hello within 0.05 s');
    await expect.poll(openChannels, patience).toBe(0);
  });

  it('a channel whose client has silently vanished is closed, and a quiet one is kept', async () => {
    await start({ silentMs: 100 });
    const [quiet, gone] = [client(), client()];
    await Promise.all([quiet, gone].map(({ rpc }) => rpc.call('hello', {})));
    let isQuietOver = false;
    quiet.rpc.onClose(() => {
      isQuietOver = true;
    });
    // What the server asks is never read.
    gone.socket.pause();
    await expect.poll(openChannels, patience).toBe(1);
    await quiet.rpc.call('hello', {});
    expect(isQuietOver).toBe(false);
  });

  it('a silent client is kept for as long as it says, while another is closed', async () => {
    await start({ silentMs: 50 });
    const [patient, other] = [client(3_600_000), client()];
    await Promise.all([patient, other].map(({ rpc }) => rpc.call('hello', {})));
    // Its answer to the ping, which says how long it may be silent, arrives before that to its next request.
    await patient.rpc.call('hello', {});
    for (const { socket } of [patient, other]) socket.pause();
    await expect.poll(openChannels, patience).toBe(1);
    patient.socket.resume();
    await patient.rpc.call('hello', {});
  });

  it('a client is kept that is not read because it has too many requests in progress', async () => {
    await start({ silentMs: 50 });
    const [busy, gone] = [client(), client()];
    await Promise.all([busy, gone].map(({ rpc }) => rpc.call('hello', {})));
    const answers = Array.from({ length: 40 }, () => busy.rpc.call('inventory', {}));
    gone.socket.pause();
    await expect.poll(openChannels, patience).toBe(1);
    finish({});
    expect(await Promise.all(answers)).toHaveLength(40);
    await busy.rpc.call('hello', {});
  });
});

/** Forwards of the plane in user space: two nodes in this process, with programs at 127.0.0.1. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { idleMs } from '../../src/agent/dataplane/userspace/peers.ts';
import { stateFile } from '../../src/agent/dataplane/userspace/state-file.ts';
import {
  createUserspaceDataPlane,
  type UserspacePlane,
} from '../../src/agent/dataplane/userspace/userspace-dataplane.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { type OperationInput, operationSchema } from '../../src/vsys/operations.ts';
import { testPolicy } from '../support/agent-node.ts';
import { freePorts } from '../support/free-ports.ts';

const loopback = '127.0.0.1';
const [client, server] = ['10.65.10.1', '10.65.20.1'];
const mtu = 1400;

let directory: string;
let ports: { listen: number; program: number };
let planes: UserspacePlane[];
let logged: string[];
const sockets: Socket[] = [];

async function startPlane(name: 'source' | 'destination', port = 0): Promise<UserspacePlane> {
  const policy = { ...testPolicy(`${name}_`), userspace: { address: loopback, port: 65_535 } };
  const file = stateFile(join(directory, `${name}.json`));
  const parts = {
    address: loopback,
    port,
    file,
    installed: async () => {},
    log: (event: string) => void logged.push(event),
  };
  return createUserspaceDataPlane(policy, systemClock, parts);
}

const pinned = () => ({ nexthops: new Set<number>(), gates: new Set<string>() });

function apply(plane: UserspacePlane, operations: OperationInput[], options = {}) {
  return plane.apply(
    operations.map((operation) => operationSchema.parse(operation)),
    pinned,
    options,
  );
}

async function statusesOf(plane: UserspacePlane, ...operations: OperationInput[]): Promise<string[]> {
  return (await apply(plane, operations)).results.map(({ status }) => status);
}

const listen = (localPort = ports.listen): OperationInput => ({
  op: 'forward_up',
  side: 'listen',
  localPort,
  address: client,
  to: { address: server, port: ports.program },
});
const deliver = (): OperationInput => ({ op: 'forward_up', side: 'deliver', address: server, port: ports.program });

function joined(own: string, peer: string, to: UserspacePlane): OperationInput[] {
  return [
    { op: 'rule_up' },
    {
      op: 'tunnel_up',
      kind: 'udp',
      interface: 'pv001-x',
      mtu,
      vni: 4097,
      instance: 1,
      key: '0123456789abcdef',
      remote: loopback,
      port: to.port,
    },
    { op: 'vif_up', interface: 'pv001-x', address: own, peer: { address: peer } },
  ];
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-forwards-'));
  logged = [];
  const [listenPort, program] = await freePorts(2);
  ports = { listen: listenPort!, program: program! };
  planes = [await startPlane('source'), await startPlane('destination')];
  const [source, destination] = planes;
  await apply(source!, joined(client, server, destination!));
  await apply(destination!, joined(server, client, source!));
});

afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(sockets.splice(0).map((socket) => socket[Symbol.asyncDispose]()));
  await Promise.all(planes.map((plane) => plane.close()));
  rmSync(directory, { recursive: true });
});

async function open(port = 0): Promise<Socket> {
  const socket = createSocket('udp4').bind(port, loopback);
  await once(socket, 'listening');
  sockets.push(socket);
  return socket;
}

/** A program that answers what it gets, with the port of the sender in front. */
async function startProgram(): Promise<{ heard: number[] }> {
  const heard: number[] = [];
  const socket = await open(ports.program);
  socket.on('message', (datagram, { port, address }) => {
    heard.push(port);
    socket.send(Buffer.concat([Buffer.from(`${port} `), datagram]), port, address);
  });
  return { heard };
}

/** Packets that came out of the tunnel. */
async function received(plane: UserspacePlane): Promise<number> {
  const { interfaces } = await plane.counters();
  return interfaces.find(({ name }) => name === 'pv001-x')!.receivedPackets;
}

async function asked(socket: Socket, text: string | Buffer, port = ports.listen): Promise<string> {
  const answer = once(socket, 'message');
  socket.send(text, port, loopback);
  const [datagram] = (await answer) as [Buffer];
  return datagram.toString();
}

describe('forwards', () => {
  it('a program gets the datagrams of each client from a port of its own, and its answers reach that client', async () => {
    const [source, destination] = planes;
    expect(await statusesOf(source!, listen())).toEqual(['changed']);
    expect(await statusesOf(destination!, deliver())).toEqual(['changed']);
    await startProgram();
    const [one, two] = [await open(), await open()];
    const answers = [await asked(one, 'a'), await asked(two, 'b'), await asked(one, 'c'), await asked(two, 'd')];
    const [ofOne, ofTwo] = answers.map((answer) => answer.split(' ')[0]);
    expect(answers).toEqual([`${ofOne} a`, `${ofTwo} b`, `${ofOne} c`, `${ofTwo} d`]);
    expect(ofOne).not.toBe(ofTwo);
  });

  it('datagrams up to the MTU without its headers arrive, larger ones are lost', async () => {
    await apply(planes[0]!, [listen()]);
    await apply(planes[1]!, [deliver()]);
    const { heard } = await startProgram();
    const socket = await open();
    socket.send(Buffer.alloc(mtu - 28 + 1), ports.listen, loopback);
    const largest = Buffer.alloc(mtu - 28 - 6, 'x');
    expect((await asked(socket, largest)).endsWith('xx')).toBe(true);
    expect(heard).toHaveLength(1);
  });

  it('forwards are in the inventory, and the same operations change nothing', async () => {
    const [source, destination] = planes;
    await apply(source!, [listen()]);
    await apply(destination!, [deliver()]);
    expect(await statusesOf(source!, listen())).toEqual(['unchanged']);
    const { op: _, ...listening } = listen() as Record<string, unknown>;
    const { op: __, ...delivering } = deliver() as Record<string, unknown>;
    expect((await source!.inventory()).forwards).toEqual([listening]);
    expect((await destination!.inventory()).forwards).toEqual([delivering]);
    expect(await statusesOf(source!, { op: 'forward_down', side: 'listen', localPort: ports.listen })).toEqual([
      'changed',
    ]);
    expect(
      await statusesOf(destination!, { op: 'forward_down', side: 'deliver', address: server, port: ports.program }),
    ).toEqual(['changed']);
    expect((await source!.inventory()).forwards).toBeUndefined();
    // The port is free again.
    await open(ports.listen);
  });

  it('a local port that a program has is a conflict, and the batch changes nothing', async () => {
    const [source] = planes;
    await open(ports.listen);
    const before = await source!.inventory();
    const [other] = await freePorts(1);
    await expect(apply(source!, [listen(other!), listen()])).rejects.toMatchObject({
      code: 'conflict',
      message: `UDP port ${ports.listen} of 127.0.0.1, where a forward has to listen, is in use`,
    });
    expect(await source!.inventory()).toEqual(before);
    await open(other!);
  });

  it('a port of the VN where test traffic arrives is a conflict', async () => {
    const [, destination] = planes;
    const udp = destination!.endpoints.openUdp({ address: server, port: ports.program });
    await udp.bound;
    await expect(apply(destination!, [deliver()])).rejects.toMatchObject({ code: 'conflict' });
    await udp.close();
    expect(await statusesOf(destination!, deliver())).toEqual(['changed']);
  });

  it('an address and its forward can be added by one batch, and removed with the interface', async () => {
    const [source, destination] = planes;
    await apply(source!, [{ op: 'tunnel_down', interface: 'pv001-x' }]);
    await apply(source!, [...joined(client, server, destination!), listen()]);
    await apply(destination!, [deliver()]);
    await startProgram();
    expect(await asked(await open(), 'a')).toMatch(/^\d+ a$/);
    await apply(source!, [{ op: 'tunnel_down', interface: 'pv001-x' }]);
    expect((await source!.inventory()).forwards).toBeUndefined();
    await open(ports.listen);
  });

  it('a dry run opens nothing, and says what is missing', async () => {
    const [source] = planes;
    const { differences } = await apply(source!, [listen()], { dryRun: true });
    expect(differences).toEqual([
      {
        kind: 'forward',
        name: `127.0.0.1:${ports.listen}`,
        wanted: `from ${client} to ${server}:${ports.program}`,
        found: null,
      },
    ]);
    await open(ports.listen);
  });

  it('a forward that leads elsewhere is a conflict; a repair lets it lead to the right place', async () => {
    const [source, destination] = planes;
    const elsewhere = { ...listen(), to: { address: server, port: 9 } } as OperationInput;
    await apply(source!, [elsewhere]);
    await apply(destination!, [deliver()]);
    await startProgram();
    await expect(apply(source!, [listen()])).rejects.toMatchObject({ code: 'conflict' });
    const { differences } = await apply(source!, [listen()], { repair: true });
    expect(differences).toMatchObject([{ kind: 'forward', found: `from ${client} to ${server}:9` }]);
    expect(await asked(await open(), 'a')).toMatch(/^\d+ a$/);
  });

  it('the next agent has the forwards again, except those that it cannot open', async () => {
    const [source, destination] = planes;
    const [taken] = await freePorts(1);
    await apply(source!, [listen(), listen(taken!)]);
    await apply(destination!, [deliver()]);
    await startProgram();
    const port = source!.port;
    await source!.close();
    await open(taken!);
    planes[0] = await startPlane('source', port);
    expect(await asked(await open(), 'a')).toMatch(/^\d+ a$/);
    expect((await planes[0].inventory()).forwards).toMatchObject([{ localPort: ports.listen }]);
    expect(logged).toEqual([`UDP port ${taken} of 127.0.0.1, where a forward has to listen, is in use`]);
    const { differences } = await apply(planes[0], [listen(), listen(taken!)], { dryRun: true });
    expect(differences).toMatchObject([{ kind: 'forward', name: `127.0.0.1:${taken}`, found: null }]);
  });

  it('a client that was idle for a minute gets another port', async () => {
    await apply(planes[0]!, [listen()]);
    await apply(planes[1]!, [deliver()]);
    const { heard } = await startProgram();
    const socket = await open();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await asked(socket, 'a');
    vi.advanceTimersByTime(idleMs - 1);
    await asked(socket, 'b');
    vi.advanceTimersByTime(idleMs - 1);
    await asked(socket, 'c');
    vi.advanceTimersByTime(idleMs);
    await asked(socket, 'd');
    expect(new Set(heard.slice(0, 3)).size).toBe(1);
    expect(heard[3]).not.toBe(heard[0]);
  });

  it('a client gets neither answer nor error while no program listens, and an answer as soon as one does', async () => {
    const [source, destination] = planes;
    await apply(source!, [listen()]);
    await apply(destination!, [deliver()]);
    const socket = await open();
    // A connected socket gets an error when the system refuses its datagrams.
    socket.connect(ports.listen, loopback);
    await once(socket, 'connect');
    const heard: unknown[] = [];
    socket.on('error', (error) => heard.push(error)).on('message', (datagram) => heard.push(datagram.toString()));
    socket.send('a');
    await vi.waitUntil(async () => (await received(destination!)) === 1);
    const program = await startProgram();
    socket.send('b');
    await vi.waitUntil(() => heard.length > 0);
    expect(heard).toEqual([`${program.heard[0]} b`]);
    expect(await received(destination!)).toBe(2);
  });

  it('what comes from elsewhere than the forward leads to reaches no client', async () => {
    const [source, destination] = planes;
    await apply(source!, [listen()]);
    const stranger = destination!.endpoints.openUdp({ address: server });
    await stranger.bound;
    // Opened by hand, to learn the port of the client.
    const heard: number[] = [];
    const far = destination!.endpoints.openUdp({
      address: server,
      port: ports.program,
      onMessage: (_, { port }) => heard.push(port),
    });
    await far.bound;
    const socket = await open();
    const got: string[] = [];
    socket.on('message', (datagram) => got.push(datagram.toString()));
    socket.send('a', ports.listen, loopback);
    await vi.waitUntil(() => heard.length === 1);
    stranger.send(Buffer.from('wrong'), { address: client, port: heard[0]! });
    far.send(Buffer.from('right'), { address: client, port: heard[0]! });
    await vi.waitUntil(() => got.length > 0);
    expect(got).toEqual(['right']);
    await Promise.all([stranger.close(), far.close()]);
  });
});

/**
 * The program on the two nodes of the tunnel test. `node tunnel-peer.ts serve` echoes UDP and TCP on port 7007 and
 * prints a line when it is ready; `node tunnel-peer.ts ask ADDRESS` sends to it and prints the answers as JSON.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Answers {
  readonly datagramsSent: number;
  /** How many came back with the right bytes, and whether in the order of sending. */
  readonly datagramsRight: number;
  readonly inOrder: boolean;
  readonly shortestRoundTripMs: number;
  /** Whether 1 MB over TCP came back with the right bytes. */
  readonly streamRight: boolean;
}

const port = 7007;
const datagrams = 300;
/** Datagrams in flight at a time. */
const onTheWay = 50;
const giveUpMs = 10_000;

const [role, address] = process.argv.slice(2);
if (role === 'serve') await serve();
if (role === 'ask') process.stdout.write(JSON.stringify(await ask(address as string)));

async function serve(): Promise<void> {
  const udp = createSocket('udp4');
  udp.on('message', (data, sender) => udp.send(data, sender.port, sender.address));
  const tcp = createServer((socket) => socket.pipe(socket));
  const listening = [once(udp, 'listening'), once(tcp, 'listening')];
  udp.bind(port);
  tcp.listen(port);
  await Promise.all(listening);
  console.log('ready');
}

async function ask(server: string): Promise<Answers> {
  const { received, shortestRoundTripMs } = await echoDatagrams(server);
  const right = received.filter((data) => data.equals(payload(data.readUInt32BE(), data.length)));
  const numbers = received.map((data) => data.readUInt32BE());
  return {
    datagramsSent: datagrams,
    datagramsRight: right.length,
    inOrder: numbers.every((number, index) => number === index),
    shortestRoundTripMs,
    streamRight: await echoStream(server),
  };
}

async function echoDatagrams(server: string): Promise<{ received: Buffer[]; shortestRoundTripMs: number }> {
  const socket = createSocket('udp4');
  const received: Buffer[] = [];
  const sentAtMs: number[] = [];
  let shortestRoundTripMs = Number.POSITIVE_INFINITY;
  const all = new Promise<void>((resolve) => {
    socket.on('message', (data) => {
      received.push(data);
      const roundTripMs = performance.now() - (sentAtMs[data.readUInt32BE()] ?? 0);
      shortestRoundTripMs = Math.min(shortestRoundTripMs, roundTripMs);
      if (received.length === datagrams) resolve();
      if (sentAtMs.length < datagrams) sendNext();
    });
  });
  const sendNext = () => {
    const number = sentAtMs.length;
    sentAtMs.push(performance.now());
    socket.send(payload(number, 4 + ((number * 37) % 1450)), port, server);
  };
  // Never more in flight than a receiver's buffer holds, however late the receiver reads.
  for (let number = 0; number < onTheWay; number += 1) sendNext();
  await Promise.race([all, sleep(giveUpMs, undefined, { ref: false })]);
  socket.close();
  return { received, shortestRoundTripMs };
}

/** Bytes that depend only on number and length; some lengths are odd. */
function payload(number: number, length: number): Buffer {
  const data = Buffer.from(Array.from({ length }, (_, index) => (index * 31 + number * 7) & 255));
  data.writeUInt32BE(number);
  return data;
}

async function echoStream(server: string): Promise<boolean> {
  const sent = payload(1, 1024 * 1024);
  const socket = connect(port, server);
  socket.setTimeout(giveUpMs, () => socket.destroy(new Error('no answer')));
  socket.end(sent);
  return (await buffer(socket)).equals(sent);
}

/**
 * Sends probes over the links of a relay, a process of its own in the relay's network namespace. Argument: the relay's
 * port for probes. Standard input has the `ProbeJob`, standard output gets the `ProbeArrivals` of each link.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { betweenBurstsMs, type ProbeArrivals, type ProbedLink, type ProbeJob } from './probe-job.ts';
import { probeBytes, probeNumber, probePacket } from './probe-packet.ts';

const socketBufferBytes = 4 * 1024 * 1024;
const pollMs = 5;

const port = Number(process.argv[2]);
const { count, intervalMs, patienceMs, links } = (await json(process.stdin)) as ProbeJob;
const socket = createSocket({ type: 'udp4', recvBufferSize: socketBufferBytes, sendBufferSize: socketBufferBytes });
/** By the packets' numbers, in the order of sending; first the links' probes, then their bursts. */
const sentAtMs: number[] = [];
const arrivedAtMs: number[] = [];
let sent = 0;
let arrived = 0;

socket.on('message', (data) => {
  const nowMs = performance.now();
  const number = probeNumber(data);
  if (arrivedAtMs[number] !== undefined) return;
  arrivedAtMs[number] = nowMs;
  arrived += 1;
});
socket.bind(0, '127.0.0.1');
await once(socket, 'listening');

const probes = await sendProbes();
await arrivals();
const bursts = await sendBursts();
if (bursts.some((numbers) => numbers.length > 0)) await arrivals();
socket.close();
process.stdout.write(
  JSON.stringify(
    links.map((_link, at): ProbeArrivals => {
      const latenciesMs = probes[at]!.flatMap((number) => {
        const atMs = arrivedAtMs[number];
        return atMs === undefined ? [] : [atMs - sentAtMs[number]!];
      });
      const burstAtMs = bursts[at]!.flatMap((number) => arrivedAtMs[number] ?? []);
      return { sent: count, latenciesMs, burstAtMs: burstAtMs.sort((one, other) => one - other) };
    }),
  ),
);

/** Sends a probe on each link in each interval, spread over it. Returns their numbers, by link. */
async function sendProbes(): Promise<number[][]> {
  const numbers: number[][] = links.map(() => []);
  const startMs = performance.now();
  for (let next = 0; next < count * links.length; ) {
    const dueMs = startMs + (next * intervalMs) / links.length;
    const nowMs = performance.now();
    if (dueMs > nowMs) {
      await sleep(Math.max(1, dueMs - nowMs));
      continue;
    }
    const at = next % links.length;
    numbers[at]!.push(send(links[at]!, probeBytes));
    next += 1;
  }
  return numbers;
}

async function sendBursts(): Promise<number[][]> {
  const numbers: number[][] = [];
  for (const link of links) {
    const { burst = { packets: 0, bytes: 0 } } = link;
    numbers.push(Array.from({ length: burst.packets }, () => send(link, burst.bytes)));
    if (burst.packets > 0) await sleep(betweenBurstsMs);
  }
  return numbers;
}

function send({ from, to }: ProbedLink, bytes: number): number {
  const number = sent;
  sent += 1;
  sentAtMs[number] = performance.now();
  socket.send(probePacket({ from, to, number }, bytes), port, '127.0.0.1');
  return number;
}

async function arrivals(): Promise<void> {
  for (const endMs = performance.now() + patienceMs; arrived < sent && performance.now() < endMs; ) await sleep(pollMs);
}

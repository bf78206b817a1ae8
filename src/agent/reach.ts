/**
 * Tests whether the kernels of other nodes answer: with ICMP port unreachable to a UDP packet to a closed port, or with
 * an echo reply to an ICMP echo request. Firewalls of end hosts commonly let one of the two through.
 */
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Params, Results } from '../vsys/messages.ts';
import { type EchoRequest, type Endpoints, isRefused } from './dataplane/endpoints.ts';
import { createTurns } from './turns.ts';

/** The ports of traceroute: normally closed, and normally let through. */
export const closedPorts = { first: 33_434, count: 100 };

const attempts = 5;
/** Limits how many requests run at once (each may open a socket per address) and how many wait. */
const inTurn = createTurns('requests for reachability', 16, 1024);
const smallProbe = Buffer.from('PVN1 reach', 'latin1');
/** Size of the IPv4 and UDP headers. */
const udpHeaderBytes = 28;
/** When to start ICMP echo: if UDP is answered earlier, no program needs to be started. */
const echoAfterMs = 100;

/**
 * Probes all addresses at once, each with up to five UDP packets from `from`, and also with ICMP echo requests if it
 * does not answer soon. True: an answer came, which only the owner of the address (or a firewall on its behalf) sends.
 * False: nothing came within `timeoutMs`, or only errors such as "no route".
 *
 * With `bytes` every packet has this size as an IP packet, and Don't Fragment set.
 *
 * Linux sends one peer at most one ICMP error per second after the first six, so a `timeoutMs` of two seconds or more
 * survives many calls in a row. Throws VnmError `not-found` when `from` is not an address of this node, `failed` when
 * too many requests wait. `ended`: aborts when the channel ends.
 */
export async function reach(
  endpoints: Endpoints,
  params: Params<'reach'>,
  ended?: AbortSignal,
): Promise<Results['reach']> {
  return inTurn(async () =>
    ended?.aborted ? { answered: params.to.map(() => false) } : reachNow(endpoints, params, ended),
  );
}

async function reachNow(
  endpoints: Endpoints,
  { from, to, timeoutMs, bytes }: Params<'reach'>,
  ended: AbortSignal | undefined,
): Promise<Results['reach']> {
  const answered = to.map(() => false);
  const { promise: allAnswered, resolve } = Promise.withResolvers<void>();
  const hear = (index: number) => {
    answered[index] = true;
    if (answered.every(Boolean)) resolve();
  };
  const over = new AbortController();
  const end = () => {
    over.abort();
    resolve();
  };
  ended?.addEventListener('abort', end);
  const asking = to.map(async (address, index) => {
    if (await answersUdp(endpoints, { from, to: address, timeoutMs, bytes }, over.signal)) hear(index);
  });
  const udp = Promise.allSettled(asking);
  try {
    const early = await Promise.race([udp, allAnswered, sleep(echoAfterMs, undefined, { ref: false })]);
    refuseFailed(early ?? []);
    const silent = [...to.keys()].filter((index) => !answered[index]);
    const request = { from, to: silent.map((index) => to[index]!), bytes, timeoutMs };
    const echo = askByEcho(endpoints, request, over.signal, (place) => hear(silent[place]!));
    const ended = await Promise.race([allAnswered, Promise.all([udp, echo])]);
    refuseFailed(ended?.[0] ?? []);
  } finally {
    ended?.removeEventListener('abort', end);
    over.abort();
    await udp;
  }
  return { answered };
}

function refuseFailed(settled: readonly PromiseSettledResult<void>[]): void {
  for (const answer of settled) if (answer.status === 'rejected') throw answer.reason;
}

async function askByEcho(
  { echo }: Endpoints,
  request: EchoRequest,
  signal: AbortSignal,
  hear: (place: number) => void,
): Promise<void> {
  if (request.to.length === 0) return;
  const echoes = (await echo(request, signal)) ?? [];
  for (const [place, isThere] of echoes.entries()) if (isThere) hear(place);
}

interface UdpRequest {
  readonly from: string;
  readonly to: string;
  readonly timeoutMs: number;
  readonly bytes?: number | undefined;
}

/**
 * Whether the address answers UDP. With `bytes`, false also if the kernel has learnt that a packet of this size needs
 * fragments, and sends fragments.
 */
async function answersUdp(endpoints: Endpoints, request: UdpRequest, signal: AbortSignal): Promise<boolean> {
  const { to, bytes } = request;
  if (!(await isAnswered(endpoints, request, signal))) return false;
  return bytes === undefined || ((await endpoints.pathMtu([to])).at(0) ?? 0) >= bytes;
}

async function isAnswered(
  endpoints: Endpoints,
  { from, to, timeoutMs, bytes }: UdpRequest,
  signal: AbortSignal,
): Promise<boolean> {
  const port = closedPorts.first + randomInt(closedPorts.count);
  const probe = bytes === undefined ? smallProbe : Buffer.alloc(bytes - udpHeaderBytes, smallProbe);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const udp = endpoints.openUdp({ address: from, onMessage: () => resolve(true), onError });
  let connected = false;

  /** Hears a refusal as an answer; after any other error the next attempt tries again. */
  function onError(error: Error | null | undefined): void {
    if (isRefused(error)) resolve(true);
  }

  function send(): void {
    udp.send(probe, undefined, onError);
  }

  /** Only a connected socket receives ICMP errors. Connecting fails while there is no route. */
  function attempt(): void {
    if (connected) send();
    else
      udp.connect({ address: to, port }, (error) => {
        if (error) return;
        connected = true;
        send();
      });
  }

  const end = () => resolve(false);
  signal.addEventListener('abort', end);
  let resend: NodeJS.Timeout | undefined;
  let giveUp: NodeJS.Timeout | undefined;
  try {
    await udp.bound;
    giveUp = setTimeout(end, timeoutMs);
    resend = setInterval(attempt, timeoutMs / attempts);
    attempt();
    return await promise;
  } finally {
    signal.removeEventListener('abort', end);
    clearTimeout(giveUp);
    clearInterval(resend);
    await udp.close();
  }
}

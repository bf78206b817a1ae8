/** Whether addresses answer, told without privilege: a UDP packet to a closed port is answered by ICMP port unreachable. */
import { randomInt } from 'node:crypto';
import type { Params, Results } from '../vsys/messages.ts';
import { openUdp } from './streams/socket.ts';

/** The ports traceroute made known: normally closed, normally let through. */
export const closedPorts = { first: 33_434, count: 100 };

const attempts = 5;
const probe = Buffer.from('PVN1 reach', 'latin1');

/**
 * Asks all addresses at once, each with up to five packets from `from`. True: a reply or a port unreachable came, which only
 * the owner of the address (or a firewall in its stead) sends. False: nothing came within `timeoutMs`, or only errors such as
 * "no route". Linux sends one peer at most one ICMP error per second after a first six, so a `timeoutMs` of two seconds and
 * more survives many calls in a row. VnmError `not-found` when `from` is not an address of this node.
 */
export async function reach({ from, to, timeoutMs }: Params<'reach'>): Promise<Results['reach']> {
  const answers = await Promise.allSettled(to.map((address) => answersFrom(from, address, timeoutMs)));
  return { answered: answers.map((answer) => unwrap(answer)) };
}

/** All sockets are closed by now, so the first error may leave. */
function unwrap<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === 'rejected') throw settled.reason;
  return settled.value;
}

async function answersFrom(from: string, to: string, timeoutMs: number): Promise<boolean> {
  const udp = openUdp(from);
  const port = closedPorts.first + randomInt(closedPorts.count);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let connected = false;

  /** Of all errors only this one comes from the other end; after any other the next attempt tries again. */
  function onError(error: Error | null | undefined): void {
    if ((error as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED') resolve(true);
  }

  function send(): void {
    udp.socket.send(probe, onError);
  }

  /** Only a connected socket is told of ICMP errors. To connect fails while there is no route. */
  function attempt(): void {
    if (connected) send();
    else
      udp.socket.connect(port, to, (error?: Error | null) => {
        if (error) return;
        connected = true;
        send();
      });
  }

  udp.socket.on('message', () => resolve(true));
  udp.socket.on('error', onError);
  let resend: NodeJS.Timeout | undefined;
  let giveUp: NodeJS.Timeout | undefined;
  try {
    await udp.bound;
    giveUp = setTimeout(() => resolve(false), timeoutMs);
    resend = setInterval(attempt, timeoutMs / attempts);
    attempt();
    return await promise;
  } finally {
    clearTimeout(giveUp);
    clearInterval(resend);
    await udp.close();
  }
}

/** The ends: a sender that keeps a fixed number of datagrams on their way, a receiver, and echoes. */
import type { Socket } from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';
import { datagramsOf, type Flow } from './datagrams.ts';
import { openSocket } from './forwarders.ts';

/** The receiver confirms every so many datagrams, so that confirming costs little. */
const confirmedAtOnce = 32;
/** Enough to keep what forwards busy, and few enough for the buffers that Linux grants by default. */
const onTheirWay = 128;
/** After so long without a confirmation, the rest is considered lost. */
const lostAfterMs = 20;
/** After so long without an answer, this is its time. */
const answerTimeoutMs = 200;

export interface Place {
  readonly address: string;
  readonly port: number;
}

interface Answer {
  /** To a datagram from there; any port where that has none. */
  readonly from: { readonly address: string; readonly port?: number };
  readonly to: Place;
  readonly flow: Flow;
}

export interface Path {
  readonly to: Place;
  readonly flow: Flow;
}

/** The number of a datagram is in its last bytes, where no checksum covers it. */
const numberOf = (datagram: Buffer) => datagram.readUInt32BE(datagram.length - 4);
const write = (datagram: Buffer, number: number) => datagram.writeUInt32BE(number, datagram.length - 4);

export function createEnd() {
  let socket: Socket;
  let count = 0;

  const send = (datagram: Buffer, { address, port }: Place) => socket.send(datagram, 0, datagram.length, port, address);

  return {
    /** Resolves to the port. */
    async open({ address, port }: Place): Promise<number> {
      socket = await openSocket(address, port);
      return socket.address().port;
    },

    /** Counts datagrams and confirms them to the sender. */
    receive({ sender }: { readonly sender: Place }): void {
      const confirmation = Buffer.from([confirmedAtOnce]);
      socket.removeAllListeners('message');
      socket.on('message', () => {
        count += 1;
        if (count % confirmedAtOnce === 0) send(confirmation, sender);
      });
    },
    received: (): number => count,

    /** Sends for a time, as fast as datagrams are confirmed. Resolves to the time that it took. */
    async send({ to, flow, forMs }: Path & { readonly forMs: number }): Promise<number> {
      const datagrams = datagramsOf(flow);
      const startMs = performance.now();
      const endMs = startMs + forMs;
      let confirmedMs = performance.now();
      let waiting = 0;
      let next = 0;
      const fill = () => {
        for (; waiting < onTheirWay && performance.now() < endMs; waiting += 1) {
          send(datagrams[next]!, to);
          next = (next + 1) % datagrams.length;
        }
      };
      socket.removeAllListeners('message');
      socket.on('message', () => {
        waiting = Math.max(0, waiting - confirmedAtOnce);
        confirmedMs = performance.now();
        fill();
      });
      fill();
      while (performance.now() < endMs) {
        await sleep(lostAfterMs);
        if (performance.now() - confirmedMs < lostAfterMs) continue;
        waiting = 0;
        fill();
      }
      return performance.now() - startMs;
    },

    /** Answers each datagram by another with the same number, as the host behind the far tunnel. */
    answer({ answers }: { readonly answers: readonly Answer[] }): void {
      const prepared = answers.map((answer) => ({ ...answer, datagram: datagramsOf(answer.flow)[0]! }));
      socket.removeAllListeners('message');
      socket.on('message', (datagram, sender) => {
        const answer = prepared.find(
          ({ from }) => from.address === sender.address && (from.port === undefined || from.port === sender.port),
        );
        if (answer === undefined) return;
        write(answer.datagram, numberOf(datagram));
        send(answer.datagram, answer.to);
      });
    },

    /**
     * Returns the milliseconds until each answer by path; one datagram is on its way at a time, by the paths in turn.
     */
    async ping({ paths, times }: { readonly paths: readonly Path[]; readonly times: number }): Promise<number[][]> {
      const prepared = paths.map(({ to, flow }) => ({
        to,
        datagram: datagramsOf(flow)[0]!,
        roundTripsMs: [] as number[],
      }));
      let answered: (answeredMs: number) => void = () => {};
      let number = 0;
      socket.removeAllListeners('message');
      socket.on('message', (datagram) => {
        // A late answer is none.
        if (numberOf(datagram) === number) answered(performance.now());
      });
      for (let time = 0; time < times; time += 1) {
        for (const { to, datagram, roundTripsMs } of prepared) {
          const { promise, resolve } = Promise.withResolvers<number>();
          answered = resolve;
          number += 1;
          write(datagram, number);
          const sentMs = performance.now();
          const timeout = setTimeout(resolve, answerTimeoutMs, sentMs + answerTimeoutMs);
          send(datagram, to);
          roundTripsMs.push((await promise) - sentMs);
          clearTimeout(timeout);
        }
      }
      return prepared.map(({ roundTripsMs }) => roundTripsMs);
    },
  };
}

/** The flows of a VN, sent by iperf3 on the nodes of its end hosts. */
import { EventEmitter } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import * as z from 'zod';
import { exec } from '../../controller/exec.ts';
import { payloadBytes } from '../../controller/probe/traffic.ts';
import { VnmError } from '../../model/errors.ts';
import type { Flow } from '../../model/slice.ts';
import { planVn } from '../../planning/vn-plan.ts';
import type { InstalledVn } from '../parameters/parameter.ts';
import type { FlowCounts } from './measures.ts';

/** Each flow has a port of its own from here on: iperf3's default. */
const firstPort = 5201;

/** iperf3's client asks for an answer with a single datagram, and gives up after 30 s when either is lost. */
const tries = 3;

/** What the server prints each second once it has received packets. */
const receives = /\d\/[1-9]\d* \(/;

/** What the client prints with `-J`; only the counts. */
const reportSchema = z.object({
  end: z.object({
    streams: z.array(z.object({ udp: z.object({ out_of_order: z.number().optional() }) })),
    sum_sent: z.object({ packets: z.number() }),
    sum_received: z.object({ packets: z.number(), lost_packets: z.number() }),
  }),
});

/** Flows that iperf3 is sending. */
export interface RunningIperf {
  /** Whether one of them has ended. */
  isOver(): boolean;
  /** Waits until all have ended. Throws VnmError `failed` with what iperf3 says. */
  finish(): Promise<FlowCounts[]>;
  /** Ends what is left of them. */
  stop(): Promise<void>;
}

/** Throws VnmError `unsupported` if the node of an end host has no iperf3. */
export async function requireIperf(installed: InstalledVn): Promise<void> {
  const missing = await Promise.all(
    installed.vn.endHosts.map(async ({ name }) => {
      const { exitCode } = await runAt(installed, name, ['iperf3', '--version']).ended;
      return exitCode === 0 ? [] : [name];
    }),
  );
  const names = missing.flat();
  if (names.length === 0) return;
  throw new VnmError('unsupported', `no iperf3 on the nodes of end hosts ${names.join(', ')}`, {
    hint: 'install it there, or write traffic: built-in',
  });
}

/**
 * Starts a server and a client per flow; returns once all servers receive packets. `directory` gets what they print.
 * Throws VnmError `failed` if a server does not listen, or a client cannot send.
 */
export async function startIperf(
  installed: InstalledVn,
  mtu: number,
  seconds: number,
  directory: string,
): Promise<RunningIperf> {
  const { slice, vn } = installed;
  const stopping = new AbortController();
  const addresses = new Map(planVn(slice, vn).access.map(({ endHost, hostEnd }) => [endHost, hostEnd.address]));
  const run = (endHost: string, words: readonly string[], signal: AbortSignal) =>
    runAt(installed, endHost, words, AbortSignal.any([stopping.signal, signal]));
  const keep = (name: string, { stdout, stderr }: Printed) =>
    writeFileSync(join(directory, name), `${stdout}${stderr}`);
  const began: Running[] = [];
  let isOver = false;
  const noteEnd = () => {
    isOver = true;
  };

  /** Starts a flow, and waits until its server receives packets. Throws VnmError `failed` if the client gives up. */
  async function start(flow: Flow, index: number, signal: AbortSignal): Promise<Sending> {
    const port = String(firstPort + index);
    const to = addresses.get(flow.to)!;
    const server = run(flow.to, ['iperf3', '-s', '-1', '-B', to, '-p', port, '--forceflush'], signal);
    began.push(server);
    await server.printed();
    const ends = ['-c', to, '-B', addresses.get(flow.from)!, '-p', port];
    const load = ['-u', '-b', String(Math.round(flow.rateBps)), '-l', String(payloadBytes(flow, mtu))];
    const client = run(flow.from, ['iperf3', ...ends, ...load, '-t', String(seconds), '-J'], signal);
    began.push(client);
    const receiving = server.printed(receives).then(
      () => undefined,
      () => client.ended,
    );
    const failed = await Promise.race([receiving, client.ended]);
    if (failed === undefined) return { flow, server, client };
    throw failureOf(flow, failed);
  }

  /** Starts all flows together, so that they send for the same time. */
  async function startAll(left = tries - 1): Promise<Sending[]> {
    const attempt = new AbortController();
    const started = await Promise.allSettled(vn.flows.map((flow, index) => start(flow, index, attempt.signal)));
    const failed = started.find((one) => one.status === 'rejected');
    if (failed === undefined) return started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    attempt.abort(failed.reason);
    await Promise.allSettled(began.splice(0).map(({ ended }) => ended));
    const isOnce = stopping.signal.aborted || !(failed.reason instanceof VnmError && failed.reason.code === 'failed');
    if (isOnce || left === 0) throw failed.reason;
    return startAll(left - 1);
  }

  async function stop(): Promise<void> {
    stopping.abort(new VnmError('interrupted', 'iperf3 was stopped'));
    await Promise.allSettled(began.map(({ ended }) => ended));
  }

  try {
    const flows = await startAll();
    for (const { client } of flows) client.ended.then(noteEnd, noteEnd);
    return {
      isOver: () => isOver,
      stop,
      finish: () =>
        Promise.all(
          flows.map(async ({ flow, server, client }) => {
            const printed = await client.ended;
            const name = `iperf3-${flow.from}-${flow.to}`;
            keep(`${name}-client.json`, printed);
            keep(`${name}-server.txt`, await server.ended);
            return countsOf(flow, printed);
          }),
        ),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Sending {
  readonly flow: Flow;
  readonly server: Running;
  readonly client: Running;
}

function failureOf({ from, to }: Flow, { stdout, stderr }: Printed): VnmError {
  return new VnmError('failed', `iperf3 from ${from} to ${to} failed: ${excerptOf(stdout, stderr)}`);
}

function countsOf(flow: Flow, printed: Printed): FlowCounts {
  const report = printed.exitCode === 0 ? reportSchema.safeParse(JSON.parse(printed.stdout)) : undefined;
  if (report?.success !== true) throw failureOf(flow, printed);
  const { from, to } = flow;
  const { streams, sum_sent, sum_received } = report.data.end;
  // The receiver does not count what was lost after the last packet that arrived.
  const received = sum_received.packets - sum_received.lost_packets;
  return {
    from,
    to,
    sent: sum_sent.packets,
    received,
    lost: sum_sent.packets - received,
    receiverDropped: null,
    reordered: streams[0]?.udp.out_of_order ?? null,
    duplicated: null,
    maxGapMs: null,
    minLatencyMs: null,
    maxLatencyMs: null,
  };
}

/** What iperf3 says about its failure, which with `-J` is in the document. */
function excerptOf(stdout: string, stderr: string): string {
  const said = /"error":\s*"([^"]*)"/.exec(stdout)?.[1] ?? stderr.trim();
  return said === '' ? 'it says nothing' : said.slice(0, 300);
}

interface Printed {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Running {
  /** Resolves once it has printed what `pattern` matches, by default anything; rejects if it ends before. */
  printed(pattern?: RegExp): Promise<void>;
  /** Rejects if it cannot be run, or was stopped. */
  readonly ended: Promise<Printed>;
}

function runAt(
  { kept, slice, vn }: InstalledVn,
  endHost: string,
  command: readonly string[],
  signal?: AbortSignal,
): Running {
  const outputs = new EventEmitter();
  const [stdout, stderr] = [collector(() => outputs.emit('output')), collector()];
  const signals = [kept.signal, signal].filter((one) => one !== undefined);
  const context = { ...kept, signal: AbortSignal.any(signals) };
  const request = { slice, vn: vn.name, place: `host:${endHost}`, command };
  const ended = exec(context, request, { stdin: Readable.from([]), stdout: stdout.stream, stderr: stderr.stream }).then(
    ({ exitCode }) => ({ exitCode, stdout: stdout.text(), stderr: stderr.text() }),
  );
  // Whoever stops it may not wait for it.
  ended.catch(() => {});
  return {
    ended,
    printed(pattern = /./) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const look = () => {
        if (pattern.test(stdout.text())) resolve();
      };
      outputs.on('output', look);
      look();
      const said = () => stderr.text().trim() || stdout.text().trim().split('\n').at(-1);
      ended.then(
        () => reject(new VnmError('failed', `${command[0]} at end host '${endHost}' ended: ${said()}`)),
        reject,
      );
      promise.catch(() => {}).finally(() => outputs.off('output', look));
      return promise;
    },
  };
}

function collector(onOutput: () => void = () => {}): { stream: Writable; text: () => string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      chunks.push(chunk);
      onOutput();
      callback();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
}

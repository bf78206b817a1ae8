/** The flows of a VN, sent by iperf3 on the nodes of its end hosts. */
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
 * Starts a server and a client per flow; returns once all servers listen and the clients are started. `directory` gets
 * what they print. Throws VnmError `failed` if a server does not listen.
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
  const run = (endHost: string, words: readonly string[]) => runAt(installed, endHost, words, stopping.signal);
  const keep = (name: string, { stdout, stderr }: Printed) =>
    writeFileSync(join(directory, name), `${stdout}${stderr}`);
  const began: Running[] = [];
  let isOver = false;
  const noteEnd = () => {
    isOver = true;
  };

  async function start(flow: Flow, index: number) {
    const port = String(firstPort + index);
    const name = `iperf3-${flow.from}-${flow.to}`;
    const to = addresses.get(flow.to)!;
    const server = run(flow.to, ['iperf3', '-s', '-1', '-B', to, '-p', port, '--forceflush']);
    began.push(server);
    await server.printed;
    const ends = ['-c', to, '-B', addresses.get(flow.from)!, '-p', port];
    const load = ['-u', '-b', String(Math.round(flow.rateBps)), '-l', String(payloadBytes(flow, mtu))];
    return {
      flow,
      name,
      server,
      client: () => run(flow.from, ['iperf3', ...ends, ...load, '-t', String(seconds), '-J']),
    };
  }

  async function stop(): Promise<void> {
    stopping.abort(new VnmError('interrupted', 'iperf3 was stopped'));
    await Promise.allSettled(began.map(({ ended }) => ended));
  }

  try {
    const ready = await Promise.all(vn.flows.map(start));
    const flows = ready.map(({ client, ...rest }) => ({ ...rest, client: client() }));
    for (const { client } of flows) {
      began.push(client);
      client.ended.then(noteEnd, noteEnd);
    }
    return {
      isOver: () => isOver,
      stop,
      finish: () =>
        Promise.all(
          flows.map(async ({ flow, name, server, client }) => {
            const printed = await client.ended;
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

function countsOf({ from, to }: Flow, { exitCode, stdout, stderr }: Printed): FlowCounts {
  const report = exitCode === 0 ? reportSchema.safeParse(JSON.parse(stdout)) : undefined;
  if (report?.success !== true) {
    throw new VnmError('failed', `iperf3 from ${from} to ${to} failed: ${excerptOf(stdout, stderr)}`);
  }
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
  /** Resolves with the first output; rejects if there is none. */
  readonly printed: Promise<void>;
  /** Rejects if it cannot be run, or was stopped. */
  readonly ended: Promise<Printed>;
}

function runAt(
  { kept, slice, vn }: InstalledVn,
  endHost: string,
  command: readonly string[],
  signal?: AbortSignal,
): Running {
  const first = Promise.withResolvers<void>();
  const [stdout, stderr] = [collector(first.resolve), collector()];
  const signals = [kept.signal, signal].filter((one) => one !== undefined);
  const context = { ...kept, signal: AbortSignal.any(signals) };
  const request = { slice, vn: vn.name, place: `host:${endHost}`, command };
  const ended = exec(context, request, { stdin: Readable.from([]), stdout: stdout.stream, stderr: stderr.stream }).then(
    ({ exitCode }) => ({ exitCode, stdout: stdout.text(), stderr: stderr.text() }),
  );
  const silent = (reason?: unknown) =>
    first.reject(
      reason ?? new VnmError('failed', `${command[0]} at end host '${endHost}' ended: ${stderr.text().trim()}`),
    );
  ended.then(() => silent(), silent);
  // Whoever stops it may not wait for it.
  first.promise.catch(() => {});
  ended.catch(() => {});
  return { printed: first.promise, ended };
}

function collector(onFirst: () => void = () => {}): { stream: Writable; text: () => string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      chunks.push(chunk);
      onFirst();
      callback();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
}

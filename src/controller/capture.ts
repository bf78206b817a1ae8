/** Takes the packets of one link of a router, a gateway or an end host, as a pcapng file. */
import { VnmError } from '../model/errors.ts';
import type { NodeName } from '../model/names.ts';
import { packageVersion } from '../model/package.ts';
import type { Slice } from '../model/slice.ts';
import { type CommandEnd, maxSnaplen } from '../vsys/messages.ts';
import { type Context, signalOption } from './base/context.ts';
import { atNode, atPlace, instanceOf, isCode, type PlaceAccess } from './inside/access.ts';
import type { CaptureOutput } from './inside/capture-output.ts';
import { createPcapReader } from './inside/pcap.ts';
import { directionOf, fileStart, packetBlock, statisticsBlock } from './inside/pcapng.ts';
import { describePlace, findLink, findPlace, type PlaceKind, type PlaceLink } from './inside/place.ts';
import { type Caller, readAll, signalCommand } from './inside/run.ts';
import { hasFeature } from './nodes/agents.ts';

export interface CaptureRequest {
  readonly slice: Slice;
  readonly vn?: string | undefined;
  /** Name of a router, a gateway or an end host, as `findPlace` reads it. */
  readonly place: string;
  /** What is at the other end, as `findLink` reads it; absent: the only link. */
  readonly link?: string | undefined;
  /** After so many packets it ends. */
  readonly count?: number | undefined;
  /** After this time it ends, s. */
  readonly seconds?: number | undefined;
  /** The most of each packet, bytes. */
  readonly snaplen?: number | undefined;
}

export interface CaptureResult {
  readonly slice: string;
  readonly kind: PlaceKind;
  /** Of the place where it was taken. */
  readonly name: string;
  /** Name of the router, gateway or end host at the other end. */
  readonly link: string;
  readonly node: NodeName;
  readonly interface: string;
  readonly packets: number;
  /** Packets that the node had no room for. */
  readonly dropped: number;
}

/** The kernel passes packets on to `tcpdump` within a second of their arrival; what it still holds would be lost. */
const settleMs = 1500;
/** How long `tcpdump` may take to end, and to write what it has. */
const graceMs = 10_000;
/** The most that is kept of what `tcpdump` prints besides packets. */
const maxWordsBytes = 64 * 1024;

/**
 * Captures until one of the limits is reached or the context's signal aborts; both end it with a complete file.
 * `openOutput` is called once packets can arrive. Throws VnmError `not-found`, `usage`, `forbidden` (by the policy),
 * `unsupported` (the node has no `tcpdump`, or the place no interfaces), `failed` (says what ended it, and how many
 * packets were written), `unreachable`.
 */
export async function capture(
  context: Context,
  request: CaptureRequest,
  openOutput: () => Promise<CaptureOutput>,
): Promise<CaptureResult> {
  const { slice, snaplen = maxSnaplen, count } = request;
  const place = findPlace(slice, request.place, request.vn);
  const link = findLink(slice, place, instanceOf(context, slice, place.vn), request.link);
  return atPlace(context, slice, place, async (access) => {
    const { connection, node, namespace } = access;
    if (connection.facts.plane === 'userspace') {
      if (place.kind !== 'end host') throw isCode(slice, place, node);
      throw new VnmError(
        'unsupported',
        `${describePlace(place)} has no interface of the kernel (userspace data plane)`,
        {
          hint: 'capture packets on the kernel data plane',
        },
      );
    }
    checkFeature(access);
    const start = {
      ...(namespace === undefined ? {} : { namespace }),
      interface: link.own.interface,
      snaplen,
      ...(count === undefined ? {} : { count }),
    };
    const { id } = await connection.call('capture', start, signalOption(context)).catch(atNode(node));
    const names = { slice: slice.name, kind: place.kind, name: place.name, node };
    const stop = stopping(connection, id, request.seconds, context.signal);
    const taken = taking(names, link, openOutput, () => {
      stop.begin();
      const text = `capturing on the link from ${describePlace(place)} to '${link.name}'`;
      context.report({ kind: 'note', text });
    });
    const reading = readAll(connection, id, taken);
    reading.catch(() => {});
    try {
      const ended = await Promise.race([reading, stop.failed, taken.failed]);
      return { ...names, link: link.name, interface: link.own.interface, ...(await taken.finish(ended)) };
    } catch (error) {
      await taken.abandon();
      await signalCommand(connection, id, 'KILL');
      if (!taken.hasBegun()) context.signal?.throwIfAborted();
      throw withCount(error, taken.packets());
    } finally {
      stop.end();
    }
  });
}

function checkFeature({ connection: { facts }, node }: PlaceAccess): void {
  if (hasFeature(facts, 'capture')) return;
  throw new VnmError('unsupported', `node '${node}' has no 'tcpdump', which takes the packets`, {
    hint: 'install the package tcpdump on the node',
  });
}

/** Stops a capture when its time has passed, which begins with `begin`, or when the signal aborts. */
function stopping(caller: Caller, id: string, seconds: number | undefined, signal: AbortSignal | undefined) {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => {});
  const timers: NodeJS.Timeout[] = [];
  const interrupt = () => {
    void signalCommand(caller, id, 'INT');
    const late = new VnmError('timeout', `tcpdump did not end within ${graceMs / 1000} s`);
    timers.push(setTimeout(reject, graceMs, late));
  };
  const stop = () => void timers.push(setTimeout(interrupt, settleMs));
  if (signal?.aborted) stop();
  else signal?.addEventListener('abort', stop, { once: true });
  return {
    failed,
    begin: () => {
      if (seconds !== undefined) timers.push(setTimeout(stop, seconds * 1000));
    },
    end: () => {
      signal?.removeEventListener('abort', stop);
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

/** Turns what `tcpdump` writes into a pcapng file. */
function taking(
  { slice, name: from, node }: { slice: string; name: string; node: NodeName },
  { own, name }: PlaceLink,
  openOutput: () => Promise<CaptureOutput>,
  onStart: () => void,
) {
  const reader = createPcapReader();
  let output: CaptureOutput | undefined;
  let isOver = false;
  let packets = 0;
  let lastNs: bigint | undefined;
  let words = '';
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => {});
  let idling: NodeJS.Timeout | undefined;

  const statistics = (received: number, dropped: number) =>
    statisticsBlock({ atNs: lastNs ?? BigInt(Date.now()) * 1_000_000n, received, dropped });

  /** Writes counts when no packet has come for a while: only a write shows that a pipe has no reader any more. */
  function idle(file: CaptureOutput): void {
    clearTimeout(idling);
    if (file.idleMs === undefined || isOver) return;
    idling = setTimeout(() => {
      file.write(statistics(packets, 0)).then(() => idle(file), reject);
    }, file.idleMs);
  }

  async function begin(): Promise<CaptureOutput | undefined> {
    const header = reader.header();
    if (header === undefined || output !== undefined || isOver) return output;
    output = await openOutput();
    const description = `slice ${slice}, node ${node}, interface ${own.interface}`;
    const application = `pl-vnm ${packageVersion()}`;
    await output.write(fileStart({ ...header, application, name: `${from}-${name}`, description, mac: own.mac }));
    onStart();
    idle(output);
    return output;
  }

  return {
    /** Rejects when the output fails while no packets come. */
    failed,
    packets: () => packets,
    hasBegun: () => reader.header() !== undefined,
    stdout: async (data: Buffer) => {
      const arrived = reader.push(data);
      const file = await begin();
      if (file === undefined || arrived.length === 0) return;
      const { linkType } = reader.header()!;
      const blocks = arrived.map((packet) =>
        packetBlock({ ...packet, direction: directionOf(packet.data, linkType, own.mac) }),
      );
      clearTimeout(idling);
      await file.write(Buffer.concat(blocks));
      packets += arrived.length;
      idle(file);
      lastNs = arrived.at(-1)!.timestampNs;
    },
    stderr: async (data: Buffer) => {
      words = (words + data.toString()).slice(-maxWordsBytes);
    },
    /** Completes the file. Throws VnmError `failed` if `tcpdump` did. */
    async finish({ code }: CommandEnd): Promise<{ packets: number; dropped: number }> {
      const { received, dropped } = countsIn(words);
      if (code !== 0 || output === undefined) throw captureFailed(node, words);
      isOver = true;
      clearTimeout(idling);
      await output.write(statistics(received, dropped));
      await closeOnce();
      return { packets, dropped };
    },
    /** Closes the file, which has the packets so far. */
    abandon: async () => closeOnce().catch(() => {}),
  };

  async function closeOnce(): Promise<void> {
    const open = output;
    output = undefined;
    isOver = true;
    clearTimeout(idling);
    await open?.close();
  }
}

/** Reads the counts that `tcpdump` prints at its end. */
function countsIn(words: string): { received: number; dropped: number } {
  const count = (what: string) => Number(new RegExp(`^(\\d+) packets? ${what}$`, 'm').exec(words)?.[1] ?? 0);
  return { received: count('received by filter'), dropped: count('dropped by kernel') };
}

function captureFailed(node: NodeName, words: string): VnmError {
  const lines = words.split('\n').filter((line) => /^(tcpdump|setpriv|nsenter): /.test(line));
  const why = lines.filter((line) => !/: (listening on|data link type) /.test(line)).at(-1);
  return new VnmError('failed', `node '${node}' ended the capture: ${why ?? 'it gave no reason'}`);
}

function withCount(error: unknown, packets: number): unknown {
  if (!(error instanceof VnmError) || packets === 0) return error;
  const message = `${error.message}; ${packets} ${packets === 1 ? 'packet was' : 'packets were'} written before that`;
  return new VnmError(error.code, message, { hint: error.hint, cause: error.cause });
}

/**
 * Copies a guest with its memory, and what it has written to its disk: by QEMU's migration through a Unix socket.
 *
 *     running ──copy──► memory copied, what changes meanwhile again ──► postmigrate (stands still) ──goOn──► running
 *     stopped ──copy──► memory copied once (`suspend`) ───────────────► postmigrate
 *
 * A copy is a stream of three parts (frames.ts): a header (JSON), QEMU's own stream, the disk. What it was made of is
 * compared with the machine that gets it before QEMU reads any of it.
 */
import { constants, createReadStream, createWriteStream, rmSync, statSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { messageOf, VnmError } from '../../model/errors.ts';
import { findAccelerator } from './accelerator.ts';
import { filesOf, hardware, memoryKib } from './command-line.ts';
import { framed, readFrames } from './frames.ts';
import type { MachineSpec } from './machine.ts';
import { connectQmp, type Qmp } from './qmp.ts';
import { endMachine, startMachine } from './running.ts';

export interface CopyOptions {
  /** Whether the guest stands still from the beginning. Otherwise it runs, and only stands still for the last part. */
  readonly suspend: boolean;
  /** Whether the guest goes on as soon as it is copied. Otherwise it stands still then, for `continueMachine`. */
  readonly goOn: boolean;
  /** How long the guest may stand still for the last part. As many rounds before it as that takes, up to a limit. */
  readonly downtimeMs?: number;
  readonly signal?: AbortSignal;
}

/** Times are in ms. */
export interface Copied {
  /** Of the copy. */
  readonly bytes: number;
  readonly totalMs: number;
  /** How long the guest stood still; if it still does: until the copy was complete. */
  readonly frozenMs: number;
  /** How often the guest's memory was looked through for changes. */
  readonly rounds: number;
}

/** Much shorter than tap queues hold packets. */
const usualDowntimeMs = 20;
/**
 * A guest that changes its memory faster than it is copied stands still for longer, after so many rounds, or when they
 * have taken so long: in ms, and as a multiple of the first one, which copies everything.
 */
const patientRounds = 6;
const patientMs = 4000;
const patientTimes = 3;
const longestDowntimeMs = 60_000;
/** QEMU's limit of bytes per second; it is not to limit anything. */
const unlimited = 2 ** 40;
const pollMs = 50;
const finishMs = 2;
const maxDiskBytes = 256 * 1024 * 1024;

const headerSchema = z.strictObject({
  format: z.literal(1),
  hardware: z.string(),
  accelerator: z.enum(['kvm', 'tcg']),
  memoryBytes: z.int(),
});

/**
 * Copies the guest into a stream, which it ends. With `suspend` or without `goOn` the guest stands still afterwards.
 * Throws VnmError; then the guest runs on as before, unless it has ended.
 */
export async function copyMachine(folder: string, to: Writable, options: CopyOptions): Promise<Copied> {
  const { suspend, goOn, downtimeMs = usualDowntimeMs, signal } = options;
  const { control, overlay } = filesOf(folder);
  const diskCopy = join(folder, 'disk.copy');
  refuseLargeDisk(overlay);
  const qmp = await connectQmp(control, signal);
  const door = await openDoor(join(folder, 'copy'));
  const startedAt = performance.now();
  let bytes = 0;
  const count = (chunk: Buffer) => {
    bytes += chunk.length;
    return chunk;
  };
  try {
    await setUp(qmp, downtimeMs);
    if (suspend) await qmp.execute('stop');
    const { 'base-memory': memoryBytes } = await qmp.execute<{ 'base-memory': number }>('query-memory-size-summary');
    const { enabled } = await qmp.execute<{ enabled: boolean }>('query-kvm');
    await qmp.execute('migrate', { uri: `unix:${door.path}` });
    const header = {
      format: 1 as const,
      hardware,
      accelerator: enabled ? ('kvm' as const) : ('tcg' as const),
      memoryBytes,
    };

    const complete = completed(qmp, downtimeMs, signal).then(async (rounds) => {
      const disk = statSync(overlay, { throwIfNoEntry: false }) === undefined ? undefined : diskCopy;
      if (disk !== undefined) await copyFile(overlay, disk, constants.COPYFILE_FICLONE);
      if (goOn) await proceed(qmp);
      return { rounds, disk, endedAt: Date.now() };
    });
    async function* parts(): AsyncGenerator<Buffer> {
      yield* framed([Buffer.from(JSON.stringify(header satisfies z.infer<typeof headerSchema>))]);
      yield* framed(await door.visitor);
      const { disk } = await complete;
      yield* framed(disk === undefined ? [] : createReadStream(disk));
    }
    const [{ rounds, endedAt }] = await Promise.all([
      complete,
      pipeline(
        Readable.from(parts()),
        async function* (source: AsyncIterable<Buffer>) {
          for await (const chunk of source) yield count(chunk);
        },
        to,
        { ...(signal === undefined ? {} : { signal }) },
      ),
    ]);
    const stopped = qmp.events.findLast(({ event }) => event === 'STOP')!.atMs;
    const resumed = qmp.events.findLast(({ event }) => event === 'RESUME')?.atMs ?? endedAt;
    return { bytes, totalMs: performance.now() - startedAt, frozenMs: resumed - stopped, rounds };
  } catch (error) {
    to.destroy();
    qmp.close();
    await letGoOn(folder);
    throw signal?.aborted === true ? signal.reason : error;
  } finally {
    qmp.close();
    door.close();
    rmSync(diskCopy, { force: true });
  }
}

function refuseLargeDisk(overlay: string): void {
  const bytes = statSync(overlay, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes <= maxDiskBytes) return;
  throw new VnmError(
    'unsupported',
    `the guest has written ${bytes} bytes to its disk, and at most ${maxDiskBytes} move`,
    {
      hint: 'let it keep less on its disk, or move the VN with --method instance',
    },
  );
}

async function setUp(qmp: Qmp, downtimeMs: number): Promise<void> {
  await qmp.execute('migrate-set-capabilities', { capabilities: [{ capability: 'events', state: true }] });
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': unlimited, 'downtime-limit': downtimeMs });
}

interface MigrateInfo {
  readonly status?: string;
  readonly 'error-desc'?: string;
  readonly ram?: { readonly 'dirty-sync-count': number };
}

/** Resolves to the number of rounds once QEMU has written everything. Throws VnmError `failed`. */
async function completed(qmp: Qmp, downtimeMs: number, signal?: AbortSignal): Promise<number> {
  const beganAtMs = performance.now();
  let firstMs: number | undefined;
  for (let limitMs = downtimeMs, limitedAt = patientRounds, nextMs = patientMs; ; ) {
    const info = await qmp.execute<MigrateInfo>('query-migrate');
    const rounds = info.ram?.['dirty-sync-count'] ?? 0;
    if (info.status === 'completed') return rounds;
    if (info.status === 'failed' || info.status === 'cancelled')
      throw new VnmError('failed', `the virtual machine cannot be copied: ${info['error-desc'] ?? info.status}`);
    const elapsedMs = performance.now() - beganAtMs;
    if (rounds > 1) firstMs ??= elapsedMs;
    const isSlow = firstMs !== undefined && elapsedMs >= Math.max(nextMs, patientTimes * firstMs);
    if (rounds >= limitedAt || isSlow) {
      limitMs = Math.min(2 * limitMs, longestDowntimeMs);
      [limitedAt, nextMs] = [rounds + 1, elapsedMs + Math.max(patientMs, firstMs ?? 0) / 4];
      await qmp.execute('migrate-set-parameters', { 'downtime-limit': limitMs });
    }
    await ending(qmp, signal);
  }
}

/** Waits for the end of a migration, but not long. */
async function ending(qmp: Qmp, signal?: AbortSignal): Promise<void> {
  const ends = ['completed', 'failed', 'cancelled'];
  const pause = AbortSignal.any([AbortSignal.timeout(pollMs), ...(signal === undefined ? [] : [signal])]);
  try {
    await qmp.event(({ event, data }) => event === 'MIGRATION' && ends.includes(String(data.status)), pause);
  } catch (error) {
    if (signal?.aborted === true || !pause.aborted) throw error;
  }
}

/** Lets the guest go on, as soon as QEMU has finished. */
async function proceed(qmp: Qmp): Promise<void> {
  const status = async () => (await qmp.execute<{ status: string }>('query-status')).status;
  while ((await status()) === 'finish-migrate') await sleep(finishMs);
  await qmp.execute('cont');
}

/** After a copy that failed, or that an agent which was killed had begun: the guest runs on. */
export async function letGoOn(folder: string): Promise<void> {
  let qmp: Qmp;
  try {
    qmp = await connectQmp(filesOf(folder).control);
  } catch {
    // It has ended, and the supervisor starts it again.
    return;
  }
  try {
    await qmp.execute('migrate_cancel');
    for (let isOver = false; !isOver; ) {
      const { status = 'none' } = await qmp.execute<MigrateInfo>('query-migrate');
      isOver = ['none', 'completed', 'failed', 'cancelled'].includes(status);
      if (!isOver) await ending(qmp);
    }
    await proceed(qmp);
  } finally {
    qmp.close();
  }
}

interface Door {
  readonly path: string;
  /** The first that comes. */
  readonly visitor: Promise<Socket>;
  close(): void;
}

/** A socket that every user may connect to, for QEMU; in a folder that belongs to root. */
async function openDoor(path: string): Promise<Door> {
  rmSync(path, { force: true });
  const server = createServer();
  let socket: Socket | undefined;
  const visitor = new Promise<Socket>((resolve) => {
    server.once('connection', (one) => {
      socket = one;
      resolve(one);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, writableAll: true }, resolve);
  });
  return {
    path,
    visitor,
    close: () => {
      socket?.destroy();
      server.close();
      rmSync(path, { force: true });
    },
  };
}

/**
 * Starts a machine of the spec with the guest of a copy, which stands still until `continueMachine`. Throws VnmError;
 * then nothing of it runs.
 */
export async function restoreMachine(spec: MachineSpec, from: AsyncIterable<Buffer>): Promise<void> {
  await startMachine(spec, { begin: 'copy' });
  await receiveCopy(spec, from);
}

/** The same for a machine that was started to wait for a copy. */
export async function receiveCopy(
  spec: Pick<MachineSpec, 'folder' | 'memoryMib'>,
  from: AsyncIterable<Buffer>,
  signal?: AbortSignal,
): Promise<void> {
  const { control, overlay, incoming } = filesOf(spec.folder);
  const parts = readFrames(from);
  let qmp: Qmp | undefined;
  try {
    checkHeader(spec, await collect(parts.part()));
    qmp = await connectQmp(control, signal);
    const capabilities = ['events', 'late-block-activate'].map((capability) => ({ capability, state: true }));
    await qmp.execute('migrate-set-capabilities', { capabilities });
    await feed(parts.part(), incoming, signal);
    const end = await qmp.event(
      ({ event, data }) => event === 'MIGRATION' && ['completed', 'failed'].includes(String(data.status)),
      signal,
    );
    if (end.data.status === 'failed') throw new VnmError('failed', 'QEMU refuses the copy of the virtual machine');
    // The guest's disk is opened again when it goes on.
    const hasDisk = statSync(overlay, { throwIfNoEntry: false }) !== undefined;
    const disk = parts.part();
    if (hasDisk) await pipeline(disk, createWriteStream(overlay, { flags: 'r+' }));
    else for await (const _ of disk) throw new VnmError('invalid-input', 'the copy has a disk, and the image has none');
  } catch (error) {
    qmp?.close();
    await endMachine(spec.folder);
    if (error instanceof VnmError) throw error;
    throw new VnmError('failed', `the copy of the virtual machine is not complete: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    qmp?.close();
  }
}

async function collect(part: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of part) {
    text += chunk.toString();
    if (text.length > 10_000) break;
  }
  return text;
}

function checkHeader(spec: Pick<MachineSpec, 'memoryMib'>, text: string): void {
  let header: z.infer<typeof headerSchema>;
  try {
    header = headerSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new VnmError('invalid-input', `not the copy of a virtual machine: ${messageOf(error)}`, { cause: error });
  }
  const accelerator = findAccelerator();
  if (header.accelerator !== accelerator) {
    throw new VnmError('unsupported', `the guest ran by ${header.accelerator}, and here is ${accelerator}`, {
      hint: 'choose a node that runs guests in the same way, or use --method instance',
    });
  }
  const memoryBytes = memoryKib(spec, header.accelerator) * 1024;
  if (header.hardware === hardware && header.memoryBytes === memoryBytes) return;
  throw new VnmError('conflict', 'the copy is of a machine with other hardware');
}

async function feed(part: AsyncIterable<Buffer>, path: string, signal?: AbortSignal): Promise<void> {
  const socket = connect(path);
  await pipeline(part, socket, { ...(signal === undefined ? {} : { signal }) });
}

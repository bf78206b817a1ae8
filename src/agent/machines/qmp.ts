/**
 * A client of QEMU's machine protocol (QMP): JSON, a line each, over a Unix socket that serves one client at a time.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { VnmError } from '../../model/errors.ts';

const retryMs = 20;

interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** When it happened, in ms by the node's clock. */
  readonly atMs: number;
}

export interface Qmp {
  /** Throws VnmError `failed` if QEMU refuses, or ends. */
  execute<T = unknown>(command: string, args?: Readonly<Record<string, unknown>>): Promise<T>;
  /** Resolves to the first event that fits, also an earlier one. Throws VnmError `failed` if QEMU ends before. */
  event(fits: (event: QmpEvent) => boolean, signal?: AbortSignal): Promise<QmpEvent>;
  /** Those that were received so far, in their order. */
  readonly events: readonly QmpEvent[];
  close(): void;
}

export type QmpMessage =
  | { readonly kind: 'greeting' }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly why: string }
  | ({ readonly kind: 'event' } & QmpEvent);

/** Reads one line. Throws VnmError `failed` for what QEMU does not send. Pure. */
export function parseQmp(line: string): QmpMessage {
  const invalid = () => new VnmError('failed', `QEMU sent what is not QMP: ${line.slice(0, 200)}`);
  let message: Record<string, unknown>;
  try {
    message = JSON.parse(line) as Record<string, unknown>;
  } catch {
    throw invalid();
  }
  if (message === null || typeof message !== 'object') throw invalid();
  if ('QMP' in message) return { kind: 'greeting' };
  if (typeof message.event === 'string') {
    const { seconds, microseconds } = (message.timestamp ?? {}) as { seconds?: number; microseconds?: number };
    if (seconds === undefined || microseconds === undefined) throw invalid();
    const data = (message.data ?? {}) as QmpEvent['data'];
    return { kind: 'event', event: message.event, data, atMs: seconds * 1000 + microseconds / 1000 };
  }
  const id = Number(message.id);
  if ('return' in message) return { kind: 'result', id, value: message.return };
  const { desc } = (message.error ?? {}) as { desc?: unknown };
  if (typeof desc !== 'string') throw invalid();
  return { kind: 'error', id, why: desc };
}

/** Connects. While another client has the socket and one more waits, the kernel refuses others for now. */
async function opened(path: string, signal?: AbortSignal): Promise<Socket> {
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, 'connect', signal === undefined ? {} : { signal });
      return socket;
    } catch (error) {
      socket.destroy();
      signal?.throwIfAborted();
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw cannotConnect(error as Error);
    }
    await sleep(retryMs);
  }
}

function cannotConnect(error: NodeJS.ErrnoException): VnmError {
  const isMissing = ['ENOENT', 'ECONNREFUSED'].includes(error.code ?? '');
  const text = isMissing ? 'the virtual machine does not run' : `no connection to QEMU: ${error.message}`;
  return new VnmError(isMissing ? 'not-found' : 'failed', text, { cause: error });
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Connects to QEMU. Waits while another client is connected. Throws VnmError `not-found` if nothing listens there,
 * `failed`.
 */
export async function connectQmp(path: string, signal?: AbortSignal): Promise<Qmp> {
  const socket = await opened(path, signal);
  const open = new Map<number, Waiting>();
  const events: QmpEvent[] = [];
  const listeners = new Set<() => void>();
  let last = 0;
  let ended: Error | undefined;
  let greet = () => {};

  function end(error: Error): void {
    ended ??= error;
    for (const { reject } of open.values()) reject(ended);
    open.clear();
    for (const listener of listeners) listener();
  }

  function take(line: string): void {
    let message: QmpMessage;
    try {
      message = parseQmp(line);
    } catch (error) {
      socket.destroy();
      end(error as Error);
      return;
    }
    if (message.kind === 'greeting') {
      greet();
      return;
    }
    if (message.kind === 'event') {
      events.push(message);
      for (const listener of listeners) listener();
      return;
    }
    const waiting = open.get(message.id);
    open.delete(message.id);
    if (message.kind === 'result') waiting?.resolve(message.value);
    else waiting?.reject(new VnmError('failed', `QEMU: ${message.why}`));
  }

  const stop = () => {
    socket.destroy();
    end(signal?.reason as Error);
  };
  signal?.addEventListener('abort', stop, { once: true });
  const close = () => {
    signal?.removeEventListener('abort', stop);
    socket.destroy();
  };
  createInterface({ input: socket })
    .on('line', take)
    // Reported by the socket itself.
    .on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    greet = resolve;
    socket.on('error', (error) => {
      const failure = cannotConnect(error);
      end(failure);
      reject(failure);
    });
    socket.on('close', () => {
      end(new VnmError('failed', 'the virtual machine has ended'));
      reject(ended);
    });
  });

  function execute<T>(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (ended !== undefined) return reject(ended);
      last += 1;
      open.set(last, { resolve: resolve as Waiting['resolve'], reject });
      socket.write(`${JSON.stringify({ execute: command, arguments: args, id: last })}\n`);
    });
  }

  function event(fits: (event: QmpEvent) => boolean, waitSignal?: AbortSignal): Promise<QmpEvent> {
    return new Promise((resolve, reject) => {
      const settle = (): boolean => {
        const found = events.find(fits);
        const failure = waitSignal?.aborted === true ? (waitSignal.reason as Error) : ended;
        if (found !== undefined) resolve(found);
        else if (failure !== undefined) reject(failure);
        return found !== undefined || failure !== undefined;
      };
      if (settle()) return;
      const listener = () => {
        if (!settle()) return;
        listeners.delete(listener);
        waitSignal?.removeEventListener('abort', listener);
      };
      listeners.add(listener);
      waitSignal?.addEventListener('abort', listener);
    });
  }

  try {
    await execute('qmp_capabilities');
  } catch (error) {
    close();
    throw error;
  }
  return { execute, event, events, close };
}

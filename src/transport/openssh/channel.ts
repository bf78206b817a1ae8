/** A command that the program `ssh` runs on a node, as a channel. */
import type { ChildProcessByStdio } from 'node:child_process';
import { Duplex, type Readable, type Writable } from 'node:stream';
import type { SshChannel } from '../ssh-types.ts';

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** How `ssh` reports faults of its own, and commands that a signal ended. */
export const ownFault = 255;

/**
 * `explain`: called when `ssh` ends with `ownFault`; resolves to whether that was the command's exit code.
 */
export function channelOf(child: Child, explain: () => Promise<boolean>): SshChannel {
  return new ProcessChannel(child, explain);
}

class ProcessChannel extends Duplex implements SshChannel {
  readonly stderr: Readable;
  readonly #child: Child;

  constructor(child: Child, explain: () => Promise<boolean>) {
    super({ emitClose: false, allowHalfOpen: true });
    this.#child = child;
    this.stderr = child.stderr;
    child.stdout.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) child.stdout.pause();
    });
    child.stdout.on('end', () => this.push(null));
    // A command may end before it has read all its input; its exit code says whether that is a fault.
    child.stdin.on('error', () => undefined);
    child.once('error', () => this.emit('close', null));
    child.once('close', (code, signal) => {
      void this.#end(code, signal, explain);
    });
  }

  async #end(code: number | null, signal: string | null, explain: () => Promise<boolean>): Promise<void> {
    const isKnown = code !== ownFault || (await explain());
    // What arrived may still wait for its reader.
    if (!this.readableEnded && !this.destroyed) await new Promise((resolve) => this.once('end', resolve));
    this.emit('close', isKnown ? code : null, signal ?? undefined);
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#child.stdin.writable) this.#child.stdin.write(chunk, () => done());
    else done();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#child.stdin.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.close();
    done(error);
  }

  /** The session of the node ends with the process. */
  close(): void {
    this.#child.kill();
  }
}

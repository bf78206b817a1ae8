/**
 * The images of a slice on this node, each in a file that is named by its digest. They are a cache: one that no machine
 * uses goes when another one needs its room, and all go with the slice's last object.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { VnmError } from '../../model/errors.ts';
import type { Params, Results } from '../../vsys/messages.ts';

export interface Images {
  /** Throws VnmError `not-found`. */
  pathOf(digest: string): string;
  state(digest: string): Results['image_state'];
  /**
   * Throws VnmError `conflict` for a part that does not follow the one before, `forbidden` if there is no room for the
   * image, `failed` if the whole has another digest; then nothing of it is left.
   */
  write(part: Omit<Params<'image_write'>, 'ticket'>): Promise<Results['image_write']>;
  removeAll(): void;
}

const unfinished = '.part';

export interface ImagesParts {
  readonly directory: string;
  readonly maxMib: number;
  /** The digests of the images that machines use. */
  readonly used: () => ReadonlySet<string>;
}

export function createImages({ directory, maxMib, used }: ImagesParts): Images {
  const whole = (digest: string) => join(directory, digest);
  const partial = (digest: string) => `${whole(digest)}${unfinished}`;
  const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size;

  /** Removes unused images until there is room for `bytes`, which `digest` will have. */
  function makeRoom(digest: string, bytes: number): void {
    const others = listed(directory).filter((name) => name !== digest && name !== `${digest}${unfinished}`);
    const sizes = new Map(others.map((name) => [name, sizeOf(whole(name)) ?? 0]));
    const free = () => maxMib * 1024 * 1024 - [...sizes.values()].reduce((sum, size) => sum + size, 0);
    const inUse = used();
    for (const name of others) {
      if (free() >= bytes) return;
      if (inUse.has(name)) continue;
      rmSync(whole(name), { force: true });
      sizes.delete(name);
    }
    if (free() >= bytes) return;
    throw new VnmError(
      'forbidden',
      `there is no room for an image of ${Math.ceil(bytes / 1024 / 1024)} MiB: the slice's images on this node may have ${maxMib} MiB`,
      { hint: 'remove routers with other images, or ask for a larger limit imageMib' },
    );
  }

  return {
    pathOf(digest) {
      const path = whole(digest);
      if (existsSync(path)) return path;
      throw new VnmError('not-found', `the image ${digest.slice(0, 12)} is not on this node`, {
        hint: 'run pl-vnm install SLICE.yaml or pl-vnm reconcile SLICE, which copy it',
      });
    },
    state(digest) {
      const size = sizeOf(whole(digest));
      return size === undefined
        ? { complete: false, bytes: sizeOf(partial(digest)) ?? 0 }
        : { complete: true, bytes: size };
    },
    async write({ digest, total, offset, data }) {
      const done = sizeOf(whole(digest));
      if (done !== undefined) return { bytes: done };
      if (offset === 0) {
        mkdirSync(directory, { recursive: true, mode: 0o755 });
        makeRoom(digest, total);
        rmSync(partial(digest), { force: true });
      }
      const bytes = Buffer.from(data, 'base64');
      const there = sizeOf(partial(digest)) ?? 0;
      if (there !== offset || offset + bytes.length > total) {
        const fault = `a part of ${bytes.length} bytes at ${offset} of ${total} does not follow: ${there} bytes are there`;
        throw new VnmError('conflict', `image ${digest.slice(0, 12)}: ${fault}`, { hint: 'copy it again' });
      }
      append(partial(digest), bytes);
      if (offset + bytes.length < total) return { bytes: offset + bytes.length };
      const found = await digestOf(partial(digest));
      if (found !== digest) {
        rmSync(partial(digest), { force: true });
        throw new VnmError('failed', `an image arrived with the digest ${found}, not ${digest}`, {
          hint: 'copy it again; the file may have changed meanwhile',
        });
      }
      renameSync(partial(digest), whole(digest));
      return { bytes: total };
    },
    removeAll: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function append(path: string, bytes: Buffer): void {
  const file = openSync(path, 'a', 0o644);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  } finally {
    closeSync(file);
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest('hex');
}

function listed(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** The images of virtual machines that a slice file names. What identifies them becomes part of the slice. */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { kindOf } from '../model/bounded-file.ts';
import { type ImageConfig, maxImageBytes } from '../model/machine.ts';
import type { Draft } from './draft.ts';
import { atValue, type Problem } from './fault.ts';
import { readingFault } from './reading-fault.ts';
import { excerpt, quote } from './words.ts';

export type ImageFile = Pick<ImageConfig, 'image' | 'digest' | 'bytes'>;

/** The images that were read, by the name in the slice file, and what is wrong with the others. */
export interface ImagesRead {
  readonly files: ReadonlyMap<string, ImageFile>;
  readonly problems: readonly Problem[];
}

/** Looks at the images of a draft. `read` throws an error whose message is the reason. */
export function readImages({ vns }: Draft, read: (name: string) => ImageFile): ImagesRead {
  const files = new Map<string, ImageFile>();
  const problems = vns.flatMap(({ daemons }) =>
    daemons.entries.flatMap(({ kind, image }): Problem[] => {
      if (kind !== 'image' || image === undefined || image.name === '' || files.has(image.name)) return [];
      try {
        files.set(image.name, read(image.name));
        return [];
      } catch (error) {
        const hint = `give a disk, or a tar with kernel and initrd, of at most ${maxImageBytes / 1024 ** 3} GiB; its name is relative to the slice file`;
        return [atValue(image.path, `cannot read ${quote(image.name)}: ${excerpt(readingFault(error))}`, hint)];
      }
    }),
  );
  return { files, problems };
}

const chunkBytes = 1024 * 1024;
/** A file that has not changed is not read again: it may be large, and a slice file is read often. */
const known = new Map<string, { readonly state: string; readonly digest: string }>();

/** Looks at an image that the slice file `file` names. `readingFault` explains what it throws. */
export function readImageFile(file: string, name: string): ImageFile {
  const path = resolve(dirname(file), name);
  const opened = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const stats = fstatSync(opened);
    const kind = kindOf(stats);
    if (kind !== undefined) throw new Error(`it is ${kind}`);
    if (stats.size === 0) throw new Error('it is empty');
    if (stats.size > maxImageBytes) throw new Error(`it is larger than ${maxImageBytes / 1024 ** 3} GiB`);
    const state = [stats.dev, stats.ino, stats.size, stats.mtimeMs].join(' ');
    const before = known.get(path);
    const digest = before?.state === state ? before.digest : digestOf(opened);
    known.set(path, { state, digest });
    return { image: path, digest, bytes: stats.size };
  } finally {
    closeSync(opened);
  }
}

function digestOf(file: number): string {
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(chunkBytes);
  for (;;) {
    const count = readSync(file, chunk, 0, chunk.length, null);
    if (count === 0) return hash.digest('hex');
    hash.update(chunk.subarray(0, count));
  }
}

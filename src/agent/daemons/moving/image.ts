/**
 * The archive of a checkpoint: gzip of the length of a header (4 bytes), the header (JSON), and the files one after the
 * other.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { messageOf, VnmError } from '../../../model/errors.ts';
import { daemonSchema } from '../../../vsys/operations.ts';

/** Of the files, before they are compressed. BIRD with 100,000 routes has about a third. */
const maxBytes = 256 * 1024 * 1024;
const lengthBytes = 4;

const manifestSchema = z.lazy(() =>
  z.strictObject({
    daemon: daemonSchema,
    version: z.string(),
    /** The path of its folder where it was started; its command and its sockets name it. */
    folder: z.string(),
    /** The interfaces of the namespace by name; daemons know their numbers. */
    interfaces: z.record(z.string(), z.strictObject({ index: z.int(), mac: z.string() })),
    groups: z.record(z.string(), z.array(z.ipv4())),
    /** The daemon's routes in the kernel, as `ip route` takes them. */
    routes: z.array(z.string()),
  }),
);
const headerSchema = z.lazy(() =>
  z.strictObject({
    manifest: manifestSchema,
    files: z.array(z.strictObject({ name: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/), bytes: z.int().min(0) })),
  }),
);

export type Manifest = z.infer<typeof manifestSchema>;

/** The file that is not CRIU's. */
const logName = 'log';

export interface Unpacked {
  readonly manifest: Manifest;
  readonly files: ReadonlyMap<string, Buffer>;
}

/** Packs the images of a directory, and the daemon's log. Throws VnmError `failed` if it is too much. */
export async function pack(manifest: Manifest, images: string, log: string): Promise<Buffer> {
  const names = readdirSync(images).filter((name) => name.endsWith('.img'));
  const files = [
    ...names.map((name) => ({ name, content: readFileSync(join(images, name)) })),
    { name: logName, content: readFileSync(log) },
  ];
  const total = files.reduce((sum, { content }) => sum + content.length, 0);
  if (total > maxBytes) throw tooLarge(total);
  const list = files.map(({ name, content }) => ({ name, bytes: content.length }));
  const header = Buffer.from(JSON.stringify({ manifest, files: list } satisfies z.infer<typeof headerSchema>));
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(header.length);
  const contents = files.map(({ content }) => content);
  const { gzip } = await import('node:zlib');
  return promisify(gzip)(Buffer.concat([length, header, ...contents]), { level: 1 });
}

function tooLarge(bytes: number): VnmError {
  return new VnmError('failed', `the checkpoint of the daemon has ${bytes} bytes, more than ${maxBytes}`, {
    hint: 'use another way to move the control plane',
  });
}

/** Throws VnmError `invalid-input`. */
export async function unpack(archive: Buffer): Promise<Unpacked> {
  try {
    const { gunzip } = await import('node:zlib');
    const content = await promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip)(archive, {
      maxOutputLength: maxBytes + 16 * 1024 * 1024,
    });
    const end = lengthBytes + content.readUInt32BE(0);
    const { manifest, files } = headerSchema.parse(JSON.parse(content.subarray(lengthBytes, end).toString()));
    let at = end;
    const parts = files.map(({ name, bytes }) => {
      const part = content.subarray(at, at + bytes);
      if (part.length !== bytes) throw new Error(`'${name}' is not complete`);
      at += bytes;
      return [name, part] as const;
    });
    return { manifest, files: new Map(parts) };
  } catch (error) {
    throw new VnmError('invalid-input', `not the checkpoint of a daemon: ${messageOf(error)}`, { cause: error });
  }
}

/** Writes CRIU's files into a new directory, which only root can enter, and the log. */
export function writeImages({ files }: Unpacked, images: string, log: string): void {
  mkdirSync(images, { mode: 0o700 });
  for (const [name, content] of files)
    writeFileSync(name === logName ? log : join(images, name), content, { mode: 0o600 });
}

export function digestOf(archive: Buffer): string {
  return createHash('sha256').update(archive).digest('hex');
}

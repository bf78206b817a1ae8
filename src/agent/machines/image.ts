/**
 * Images of virtual machines: a disk (qcow2, or raw with a boot sector), or a tar with the files `kernel`, `initrd` and
 * perhaps `cmdline`, the kernel's command line. An image comes from a slice's owner and is not trusted: QEMU must not
 * be led by it to other files of the node.
 */
import { createReadStream, createWriteStream, readFileSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { VnmError } from '../../model/errors.ts';
import { findProgram } from '../daemons/programs.ts';
import { run } from '../run.ts';
import { type Boot, filesOf } from './command-line.ts';

/** What an image is, read from its first bytes. */
export type ImageKind =
  | { readonly kind: 'disk'; readonly format: 'qcow2' | 'raw'; readonly virtualBytes: number }
  | { readonly kind: 'kernel'; readonly members: ReadonlyMap<string, { readonly at: number; readonly bytes: number }> };

const blockBytes = 512;
const maxMembers = 8;
const maxCommandLineBytes = 1024;
const usualCommandLine = 'console=ttyS0 quiet';
/**
 * Of qcow2 (docs/interop/qcow2.txt of QEMU): dirty, corrupt, another compression, subclusters; not: a file elsewhere.
 */
const knownFeatures = 0b11011n;

/** Throws VnmError `invalid-input` if it is not an image that a machine can have, `not-found`. */
export async function inspectImage(path: string): Promise<ImageKind> {
  let file: FileHandle;
  try {
    file = await open(path);
  } catch (error) {
    throw new VnmError('not-found', `cannot read the image ${path}: ${(error as Error).message}`, { cause: error });
  }
  try {
    const { size } = await file.stat();
    const head = await readAt(file, 0, blockBytes);
    if (head.subarray(0, 4).toString('latin1') === 'QFI\xfb') return inspectQcow2(head);
    if (head.subarray(257, 262).toString() === 'ustar') return inspectTar(await readMembers(file, size));
    const isBootable = size > 0 && size % blockBytes === 0 && head.readUInt16BE(510) === 0x55aa;
    if (isBootable) return { kind: 'disk', format: 'raw', virtualBytes: size };
  } finally {
    await file.close();
  }
  throw invalid('it is neither a qcow2 disk, a raw disk with a boot sector, nor a tar with kernel and initrd');
}

function inspectQcow2(head: Buffer): ImageKind {
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw invalid(`qcow2 version ${version}`);
  if (head.readBigUInt64BE(8) !== 0n) throw invalid('it needs another image as its backing file');
  if (head.readUInt32BE(32) !== 0) throw invalid('it is encrypted');
  const features = version === 3 ? head.readBigUInt64BE(72) : 0n;
  if ((features & ~knownFeatures) !== 0n) throw invalid('its data is in another file');
  return { kind: 'disk', format: 'qcow2', virtualBytes: Number(head.readBigUInt64BE(24)) };
}

function inspectTar(members: ReadonlyMap<string, { at: number; bytes: number }>): ImageKind {
  const missing = ['kernel', 'initrd'].find((name) => !members.has(name));
  if (missing !== undefined) throw invalid(`the tar has no file '${missing}'`);
  if ((members.get('cmdline')?.bytes ?? 0) > maxCommandLineBytes)
    throw invalid(`'cmdline' has more than ${maxCommandLineBytes} bytes`);
  return { kind: 'kernel', members };
}

/** The regular files of a tar (POSIX ustar) by name, and where their content is. */
async function readMembers(file: FileHandle, size: number): Promise<Map<string, { at: number; bytes: number }>> {
  const members = new Map<string, { at: number; bytes: number }>();
  for (let at = 0, count = 0; at + blockBytes <= size && count < maxMembers; count += 1) {
    const header = await readAt(file, at, blockBytes);
    const name = text(header.subarray(0, 100)).replace(/^\.\//, '');
    if (name === '') break;
    const bytes = Number.parseInt(text(header.subarray(124, 136)).trim(), 8);
    const content = at + blockBytes;
    if (!(bytes >= 0) || content + bytes > size) throw invalid(`the tar ends within '${name}'`);
    const type = header[156]!;
    if (type === 0 || type === 0x30) members.set(name, { at: content, bytes });
    at = content + Math.ceil(bytes / blockBytes) * blockBytes;
  }
  return members;
}

const text = (bytes: Buffer) => bytes.toString('latin1').replace(/\0.*$/s, '');

async function readAt(file: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, at);
  if (bytesRead === bytes) return buffer;
  throw invalid('it is too short');
}

function invalid(why: string): VnmError {
  return new VnmError('invalid-input', `not the image of a virtual machine: ${why}`);
}

/**
 * Makes what QEMU starts from in the machine's folder: an empty disk for what the guest writes, or kernel and initial
 * file system, which QEMU needs only until it runs. Throws VnmError.
 */
export async function unpackImage(path: string, folder: string): Promise<Boot> {
  const image = await inspectImage(path);
  if (image.kind === 'disk') {
    const { overlay } = filesOf(folder);
    if (findProgram('qemu-img') === undefined) {
      throw new VnmError('unsupported', "there is no 'qemu-img', which machines with a disk need", {
        hint: 'install the package qemu-utils on the node',
      });
    }
    rmSync(overlay, { force: true });
    const words = ['create', '-q', '-f', 'qcow2', overlay, String(image.virtualBytes)];
    const { code, stderr } = await run('qemu-img', words);
    if (code !== 0) throw new VnmError('failed', `no disk for a virtual machine: ${stderr.trim()}`);
    return { kind: 'disk', format: image.format, disk: path, overlay };
  }
  const names = namesOf(folder);
  await unpackMember(path, image.members.get('kernel')!, names.kernel);
  await unpackMember(path, image.members.get('initrd')!, names.initrd);
  const line = image.members.get('cmdline');
  if (line === undefined) return { kind: 'kernel', ...names, cmdline: usualCommandLine };
  const cmdline = join(folder, 'cmdline');
  await unpackMember(path, line, cmdline);
  try {
    return { kind: 'kernel', ...names, cmdline: readFileSync(cmdline, 'utf8').trim() };
  } finally {
    rmSync(cmdline);
  }
}

const namesOf = (folder: string) => ({ kernel: join(folder, 'kernel'), initrd: join(folder, 'initrd') });

/** Removes what QEMU does not need any more once it runs. */
export function removeUnpacked(folder: string): void {
  for (const path of Object.values(namesOf(folder))) rmSync(path, { force: true });
}

async function unpackMember(path: string, member: { at: number; bytes: number }, to: string): Promise<void> {
  const part = createReadStream(path, { start: member.at, end: member.at + member.bytes - 1 });
  await pipeline(part, createWriteStream(to, { mode: 0o600 }));
}

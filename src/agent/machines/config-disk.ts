/**
 * The configuration disk of a machine: an ISO 9660 file system (ECMA-119) with the volume name `cidata`, as
 * cloud-init's data source NoCloud reads it. Names are written as they are, in lower case and with hyphens, which
 * ECMA-119 does not allow but Linux, BSD and cloud-init read. Pure.
 */
import { VnmError } from '../../model/errors.ts';

const volumeName = 'cidata';
const sectorBytes = 2048;
/** Both keep the directory in one sector. */
const maxFiles = 32;
const maxNameBytes = 26;
const maxBytes = 1024 * 1024;

/** The first sectors; 16 before them are unused. */
const sector = { volume: 16, end: 17, pathsLittle: 18, pathsBig: 19, root: 20, files: 21 } as const;

/**
 * Returns the disk, some 40 KiB and the files in sectors of 2,048 bytes. The same files give the same bytes. `files`:
 * text by name, such as `meta-data`. Throws VnmError `invalid-input`.
 */
export function makeConfigDisk(files: Readonly<Record<string, string>>): Buffer {
  const contents = Object.entries(files)
    .map(([name, text]) => ({ name, content: Buffer.from(text) }))
    .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  check(contents);
  let next: number = sector.files;
  const placed = contents.map(({ name, content }) => {
    const at = next;
    next += Math.ceil(content.length / sectorBytes);
    return { name, content, at };
  });
  const disk = Buffer.alloc(next * sectorBytes);
  const put = (part: Buffer, at: number) => part.copy(disk, at * sectorBytes);

  const self = entry(Buffer.from([0]), sector.root, sectorBytes, true);
  const parent = entry(Buffer.from([1]), sector.root, sectorBytes, true);
  const entries = placed.map(({ name, content, at }) => entry(Buffer.from(name), at, content.length, false));
  put(volume(next, self), sector.volume);
  put(Buffer.from([0xff, ...Buffer.from('CD001'), 1]), sector.end);
  put(pathTable('little'), sector.pathsLittle);
  put(pathTable('big'), sector.pathsBig);
  put(Buffer.concat([self, parent, ...entries]), sector.root);
  for (const { content, at } of placed) put(content, at);
  return disk;
}

function check(files: readonly { readonly name: string; readonly content: Buffer }[]): void {
  const refuse = (what: string) => {
    throw new VnmError('invalid-input', `invalid configuration disk: ${what}`);
  };
  if (files.length > maxFiles) refuse(`${files.length} files, and ${maxFiles} are possible`);
  const wrong = files.find(({ name }) => !/^[a-z0-9][a-z0-9._-]*$/.test(name) || name.length > maxNameBytes);
  if (wrong !== undefined)
    refuse(`the name '${wrong.name}' must be at most ${maxNameBytes} of a-z, 0-9, '.', '_' and '-'`);
  const bytes = files.reduce((sum, { content }) => sum + content.length, 0);
  if (bytes > maxBytes) refuse(`${bytes} bytes, and ${maxBytes} are possible`);
}

/** The primary volume descriptor (section 8.4). */
function volume(sectors: number, root: Buffer): Buffer {
  const it = Buffer.alloc(sectorBytes);
  it[0] = 1;
  it.write('CD001', 1);
  it[6] = 1;
  it.fill(' ', 8, 72);
  it.write(volumeName, 40);
  both32(it, 80, sectors);
  both16(it, 120, 1);
  both16(it, 124, 1);
  both16(it, 128, sectorBytes);
  both32(it, 132, pathTable('little').length);
  it.writeUInt32LE(sector.pathsLittle, 140);
  it.writeUInt32BE(sector.pathsBig, 148);
  root.copy(it, 156);
  it.fill(' ', 190, 813);
  // Four dates that are not given: digits '0', and a zone.
  for (const at of [813, 830, 847, 864]) it.fill('0', at, at + 16);
  it[881] = 1;
  return it;
}

/** A directory record (section 9.1), without a date. */
function entry(name: Buffer, at: number, bytes: number, isDirectory: boolean): Buffer {
  const length = 33 + name.length;
  const it = Buffer.alloc(length + (length % 2));
  it[0] = it.length;
  both32(it, 2, at);
  both32(it, 10, bytes);
  it[25] = isDirectory ? 2 : 0;
  both16(it, 28, 1);
  it[32] = name.length;
  name.copy(it, 33);
  return it;
}

/** A path table (section 9.4) of the root alone. */
function pathTable(order: 'little' | 'big'): Buffer {
  const it = Buffer.alloc(10);
  it[0] = 1;
  if (order === 'little') it.writeUInt32LE(sector.root, 2);
  else it.writeUInt32BE(sector.root, 2);
  if (order === 'little') it.writeUInt16LE(1, 6);
  else it.writeUInt16BE(1, 6);
  return it;
}

/** Numbers are written in both orders of bytes (sections 7.2.3 and 7.3.3). */
function both16(it: Buffer, at: number, value: number): void {
  it.writeUInt16LE(value, at);
  it.writeUInt16BE(value, at + 2);
}

function both32(it: Buffer, at: number, value: number): void {
  it.writeUInt32LE(value, at);
  it.writeUInt32BE(value, at + 4);
}

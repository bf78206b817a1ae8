import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inspectImage, unpackImage } from '../../../src/agent/machines/image.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-image-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function file(content: Buffer): string {
  const path = join(directory, 'image');
  writeFileSync(path, content);
  return path;
}

/** The header of a qcow2 disk of 1 MiB (version 3), with numbers at some places. */
function qcow2(changes: Record<number, number> = {}): Buffer {
  const header = Buffer.alloc(512);
  header.write('QFI\xfb', 0, 'latin1');
  header.writeUInt32BE(3, 4);
  header.writeBigUInt64BE(2n ** 20n, 24);
  for (const [at, value] of Object.entries(changes)) header.writeUInt32BE(value, Number(at));
  return header;
}

function tar(files: Record<string, string>, links: Record<string, string> = {}): string {
  const content = join(directory, 'content');
  mkdirSync(content);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(content, name), text);
  for (const [name, to] of Object.entries(links)) symlinkSync(to, join(content, name));
  const path = join(directory, 'image.tar');
  execFileSync('tar', ['-cf', path, '--format=ustar', '-C', content, ...Object.keys(files), ...Object.keys(links)]);
  return path;
}

describe('images', () => {
  it('knows disks, with their size', async () => {
    expect(await inspectImage(file(qcow2()))).toEqual({ kind: 'disk', format: 'qcow2', virtualBytes: 2 ** 20 });
    const raw = Buffer.alloc(1024);
    raw.writeUInt16BE(0x55aa, 510);
    expect(await inspectImage(file(raw))).toEqual({ kind: 'disk', format: 'raw', virtualBytes: 1024 });
  });

  it.each([
    ['another image behind it', qcow2({ 12: 512 }), 'it needs another image as its backing file'],
    ['data in another file', qcow2({ 76: 4 }), 'its data is in another file'],
    ['encryption', qcow2({ 32: 2 }), 'it is encrypted'],
    ['version 1', qcow2({ 4: 1 }), 'qcow2 version 1'],
    ['no boot sector', Buffer.alloc(1024), 'it is neither'],
    ['nothing in it', Buffer.alloc(0), 'it is too short'],
  ])('refuses one with %s', async (_, content, why) => {
    await expect(inspectImage(file(content))).rejects.toThrow(`not the image of a virtual machine: ${why}`);
  });

  it('unpacks kernel, initial file system and command line of a tar', async () => {
    const image = tar({ kernel: 'k'.repeat(1000), initrd: 'i', cmdline: 'console=ttyS0\n' });
    const boot = await unpackImage(image, directory);
    expect(boot).toMatchObject({ kind: 'kernel', cmdline: 'console=ttyS0' });
    expect(readFileSync(join(directory, 'kernel'), 'utf8')).toBe('k'.repeat(1000));
    expect(readFileSync(join(directory, 'initrd'), 'utf8')).toBe('i');
  });

  it('follows no link in a tar', async () => {
    await expect(unpackImage(tar({ kernel: 'k' }, { initrd: '/etc/passwd' }), directory)).rejects.toThrow(
      "the tar has no file 'initrd'",
    );
  });

  it('says which file is missing', async () => {
    await expect(inspectImage(tar({ initrd: 'i' }))).rejects.toThrow("the tar has no file 'kernel'");
    await expect(inspectImage(join(directory, 'nosuch'))).rejects.toThrow('cannot read the image');
  });
});

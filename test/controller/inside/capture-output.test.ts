import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { captureStream, openCaptureFile } from '../../../src/controller/inside/capture-output.ts';

const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-capture-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A file on a disk with room for so many bytes, which takes at most 7 at once. */
function openWithRoom(room: number) {
  return async (path: string, flags: string): Promise<FileHandle> => {
    const file = await open(path, flags);
    let left = room;
    const write = file.write.bind(file);
    file.write = (async (bytes: Buffer, at: number) => {
      if (left === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      const length = Math.min(7, left, bytes.length - at);
      left -= length;
      return write(bytes, at, length);
    }) as typeof file.write;
    return file;
  };
}

describe('the file of a capture', () => {
  it('replaces an earlier one and has everything', async () => {
    const path = join(directory, 'whole');
    writeFileSync(path, 'an earlier capture that was longer');
    const output = await openCaptureFile(path, openWithRoom(100) as typeof open);
    await output.write(Buffer.from('first block '));
    await output.write(Buffer.from('second'));
    await output.close();
    expect(readFileSync(path, 'utf8')).toBe('first block second');
  });

  it('ends with a complete block when the disk is full', async () => {
    const path = join(directory, 'full');
    const output = await openCaptureFile(path, openWithRoom(20) as typeof open);
    await output.write(Buffer.from('first block '));
    await expect(output.write(Buffer.from('second block'))).rejects.toMatchObject({
      code: 'failed',
      message: `cannot write ${path}: ENOSPC: no space left on device, write`,
      hint: 'give another path with -w, with room for the packets',
    });
    await output.close();
    expect(readFileSync(path, 'utf8')).toBe('first block ');
  });

  it('is refused where it cannot be made', async () => {
    const path = join(directory, 'missing', 'file');
    await expect(openCaptureFile(path)).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringMatching(/^cannot write \S+: ENOENT/),
    });
  });

  it('a stream reports its fault with the cause', async () => {
    const broken = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    });
    await expect(captureStream(broken).write(Buffer.from('x'))).rejects.toMatchObject({
      code: 'failed',
      message: 'cannot write the packets: write EPIPE',
      cause: { code: 'EPIPE' },
    });
  });
});

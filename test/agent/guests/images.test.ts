import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { createImages } from '../../../src/agent/guests/images.ts';

const folder = mkdtempSync(join(tmpdir(), 'pl-vnm-images-'));
const directory = join(folder, 'images');
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const megabyte = 1024 * 1024;
const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

function made(used: readonly string[] = [], maxMib = 2) {
  const images = createImages({ directory, maxMib, used: () => new Set(used) });
  const write = async (bytes: Buffer, partBytes = 300_000, digest = digestOf(bytes)) => {
    for (let offset = 0; offset < bytes.length; ) {
      const data = bytes.subarray(offset, offset + partBytes).toString('base64');
      ({ bytes: offset } = await images.write({ digest, total: bytes.length, offset, data }));
    }
    return digest;
  };
  return { images, write };
}

it('an image arrives in parts, and is there once it is whole', async () => {
  const { images, write } = made();
  const bytes = randomBytes(megabyte);
  const digest = digestOf(bytes);
  expect(() => images.pathOf(digest)).toThrow('is not on this node');
  await images.write({ digest, total: bytes.length, offset: 0, data: bytes.subarray(0, 5).toString('base64') });
  expect(images.state(digest)).toEqual({ complete: false, bytes: 5 });
  const rest = bytes.subarray(5).toString('base64');
  await images.write({ digest, total: bytes.length, offset: 5, data: rest });
  expect(images.state(digest)).toEqual({ complete: true, bytes: bytes.length });
  expect(readFileSync(images.pathOf(digest)).equals(bytes)).toBe(true);
  await expect(write(bytes)).resolves.toBe(digest);
});

it('a part that does not follow is refused', async () => {
  const { images } = made();
  const part = { digest: 'a'.repeat(64), total: 10, data: Buffer.from('abc').toString('base64') };
  await expect(images.write({ ...part, offset: 4 })).rejects.toMatchObject({ code: 'conflict' });
  await images.write({ ...part, offset: 0 });
  await expect(images.write({ ...part, offset: 2 })).rejects.toMatchObject({ code: 'conflict' });
  await expect(images.write({ ...part, offset: 3, total: 5 })).rejects.toMatchObject({ code: 'conflict' });
});

it('nothing is left of an image with another digest', async () => {
  const { write } = made();
  await expect(write(randomBytes(10), 4, 'b'.repeat(64))).rejects.toMatchObject({ code: 'failed' });
  expect(readdirSync(directory)).toEqual([]);
});

it('an unused image goes for another one, a used one stays', async () => {
  const [one, two] = [randomBytes(1.5 * megabyte), randomBytes(megabyte)];
  await made().write(one);
  await expect(made([digestOf(one)]).write(two)).rejects.toMatchObject({ code: 'forbidden' });
  expect(readdirSync(directory)).toEqual([digestOf(one)]);
  await made().write(two);
  expect(readdirSync(directory)).toEqual([digestOf(two)]);
});

it('all images go together', async () => {
  const { images, write } = made();
  await write(randomBytes(5));
  images.removeAll();
  expect(existsSync(directory)).toBe(false);
  rmSync(folder, { recursive: true });
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { framed, readFrames } from '../../../src/agent/machines/frames.ts';

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* cut(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

it('reads the parts that were written, however they were cut', async () => {
  const part = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 4 }), fc.integer({ min: 1, max: 20 }), async (parts, size) => {
      const written = await Promise.all(parts.map((chunks) => bytesOf(framed(chunks.map((one) => Buffer.from(one))))));
      const reader = readFrames(cut(Buffer.concat(written), size));
      for (const chunks of parts)
        expect(await bytesOf(reader.part())).toEqual(Buffer.concat(chunks.map((one) => Buffer.from(one))));
    }),
  );
});

it('refuses what ends too early, and what is no frame', async () => {
  const whole = await bytesOf(framed([Buffer.from('abc')]));
  for (let length = 0; length < whole.length; length += 1) {
    const reader = readFrames(cut(whole.subarray(0, length), 2));
    await expect(bytesOf(reader.part())).rejects.toThrow('the copy of the virtual machine is not complete');
  }
  await expect(bytesOf(readFrames(cut(Buffer.from('ffffffff'), 2)).part())).rejects.toThrow('not the copy');
});

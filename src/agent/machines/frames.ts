/**
 * Parts of bytes one after the other in a stream: each part is a sequence of frames, which have their length (4 bytes)
 * before them; a frame of no bytes ends the part.
 */
import { VnmError } from '../../model/errors.ts';

const lengthBytes = 4;
const maxFrameBytes = 16 * 1024 * 1024;

export async function* framed(part: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of part) {
    if (chunk.length === 0) continue;
    yield lengthOf(chunk.length);
    yield chunk;
  }
  yield lengthOf(0);
}

function lengthOf(bytes: number): Buffer {
  const it = Buffer.alloc(lengthBytes);
  it.writeUInt32BE(bytes);
  return it;
}

/** Reads such parts. `part` must be read to its end before the next one. Throws VnmError `invalid-input`. */
export function readFrames(from: AsyncIterable<Buffer>): { part(): AsyncGenerator<Buffer> } {
  const source = from[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);

  async function more(): Promise<void> {
    const { done, value } = await source.next();
    if (done === true) throw new VnmError('invalid-input', 'the copy of the virtual machine is not complete');
    rest = rest.length === 0 ? value : Buffer.concat([rest, value]);
  }

  async function* part(): AsyncGenerator<Buffer> {
    for (;;) {
      while (rest.length < lengthBytes) await more();
      const length = rest.readUInt32BE(0);
      rest = rest.subarray(lengthBytes);
      if (length === 0) return;
      if (length > maxFrameBytes) throw new VnmError('invalid-input', 'not the copy of a virtual machine');
      // What is there is passed on at once: a guest may wait for its end.
      for (let left = length; left > 0; ) {
        if (rest.length === 0) await more();
        const piece = rest.subarray(0, left);
        rest = rest.subarray(piece.length);
        left -= piece.length;
        yield piece;
      }
    }
  }
  return { part };
}

import { describe, expect, it } from 'vitest';
import { FrameGuard } from '../../src/vsys/frame-guard.ts';

const maxBytes = 100;

/** Returns the output of the guard, and the error that ended it. */
async function pass(chunks: readonly string[], maxNoise = 0): Promise<{ out: string; error?: string }> {
  const guard = new FrameGuard(maxBytes, 4, maxNoise);
  let out = '';
  guard.on('data', (chunk: Buffer) => {
    out += chunk.toString('latin1');
  });
  return new Promise((resolve) => {
    guard.on('end', () => resolve({ out }));
    guard.on('error', (error) => resolve({ out, error: error.message }));
    for (const chunk of chunks) guard.write(Buffer.from(chunk, 'latin1'));
    guard.end();
  });
}

const message = (body: string) => `Content-Length: ${body.length}\r\n\r\n${body}`;

describe('FrameGuard', () => {
  const stream = [message('{"a":1}'), message('[]'), 'Content-Type: x\r\ncontent-length: 3\r\n\r\nabc'].join('');

  it('the guard passes well-framed messages unchanged, however they are split', async () => {
    for (let size = 1; size <= stream.length; size += 1) {
      const chunks = stream.match(new RegExp(`[^]{1,${size}}`, 'g'))!;
      expect(await pass(chunks)).toEqual({ out: stream });
    }
  });

  it.each([
    ['text', 'Welcome to this host!\r\n\r\n', String.raw`"Welcome to this host!\r\n\r\n"`],
    ['a header without an end', 'x'.repeat(2000), `"${'x'.repeat(40)}"`],
    ['a header without a length', 'Content-Type: x\r\n\r\n', String.raw`"Content-Type: x\r\n\r\n"`],
    ['a negative length', 'Content-Length: -5\r\n\r\n', String.raw`"Content-Length: -5\r\n\r\n"`],
    ['an empty message', 'Content-Length: 0\r\n\r\n', String.raw`"Content-Length: 0\r\n\r\n"`],
    [
      'two lengths',
      'Content-Length: 5\r\nContent-Length: 6\r\n\r\n',
      String.raw`"Content-Length: 5\r\nContent-Length: 6\r\n\r\n"`,
    ],
  ])('the guard refuses %s', async (_name, text, shown) => {
    expect(await pass([text])).toEqual({ out: '', error: `expected a message with Content-Length, got ${shown}` });
  });

  it('the guard skips noise between messages where it is allowed, however it is split', async () => {
    const noisy = `Welcome!\r\n\r\ncontent\n> ${message('{"a":1}')}\nlater: ${message('[]')} bye\n`;
    for (let size = 1; size <= noisy.length; size += 1) {
      const chunks = noisy.match(new RegExp(`[^]{1,${size}}`, 'g'))!;
      expect(await pass(chunks, 1000)).toEqual({ out: message('{"a":1}') + message('[]') });
    }
    expect(await pass(['x'.repeat(2000)], 1000)).toMatchObject({ error: expect.stringContaining('got "xxx') });
    expect(await pass([`${'x\n'.repeat(5000)}${message('[]')}`], 20_000)).toEqual({ out: message('[]') });
  });

  it('the guard holds back messages beyond the number that may be in progress', () => {
    const guard = new FrameGuard(maxBytes, 2);
    const passed: string[] = [];
    guard.on('data', (chunk: Buffer) => passed.push(chunk.toString()));
    guard.write(message('one') + message('two') + message('three'));
    const bodies = () => passed.filter((_, index) => index % 2 === 1);
    return new Promise<void>((resolve) => {
      setImmediate(() => {
        expect(bodies()).toEqual(['one', 'two']);
        guard.release();
        setImmediate(() => {
          expect(bodies()).toEqual(['one', 'two', 'three']);
          resolve();
        });
      });
    });
  });

  it('the guard refuses a message that is too large before it stores any of it', async () => {
    expect(await pass([message('ok'), `Content-Length: ${maxBytes + 1}\r\n\r\n`, 'xxx'])).toEqual({
      out: message('ok'),
      error: 'message too large: 101 bytes (at most 100)',
    });
  });
});

/** The bytes written to a channel: mostly well-framed messages, and then other bytes. */
import fc from 'fast-check';
import { junk, tooLarge } from './hostile-values.ts';
import { aRequest } from './requests.ts';

/** Something for the agent to read. `request`: it must be answered, under this id. */
export interface Frame {
  readonly bytes: Buffer;
  readonly request?: { readonly id: string; readonly method: string; readonly params: unknown };
}

export interface Batch {
  readonly frames: readonly Frame[];
  /** Comes last: whatever follows could belong to it. */
  readonly ending?: Buffer;
  /** Everything is written in pieces of this many bytes. */
  readonly pieceBytes: number;
}

/** Returns JSON text; inserts values that JSON.stringify cannot write. */
function framed(message: object): Frame {
  const text = JSON.stringify(message).replaceAll(JSON.stringify(tooLarge), '1e999');
  const sent = JSON.parse(text) as Record<string, unknown>;
  const bytes = withHeader(Buffer.from(text));
  if (!('id' in sent) || typeof sent.method !== 'string') return { bytes };
  return { bytes, request: { id: JSON.stringify(sent.id), method: sent.method, params: sent.params } };
}

function withHeader(body: Buffer, bytes = body.length): Buffer {
  return Buffer.concat([Buffer.from(`Content-Length: ${bytes}\r\n\r\n`), body]);
}

/** Few enough that some ids collide. */
const ids = fc.oneof(
  { weight: 50, arbitrary: fc.noBias(fc.integer()) },
  { weight: 10, arbitrary: fc.uuid() },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(0, 1, '1', '', '__proto__', 1.5, -1, 'x'.repeat(300)) },
);

const requests = fc.tuple(ids, aRequest).map(([id, body]) => framed({ jsonrpc: '2.0', id, ...body }));

/** Messages without an answer; the library handles some of them itself. */
const unanswered = fc.oneof(
  aRequest.map((body) => framed({ jsonrpc: '2.0', ...body })),
  fc
    .tuple(ids, junk)
    .map(([id, params]) => framed({ jsonrpc: '2.0', method: '$/cancelRequest', params: { id, params } })),
  fc
    .tuple(fc.constantFrom('$/setTrace', '$/progress', '$/logTrace'), junk)
    .map(([method, params]) => framed({ jsonrpc: '2.0', method, params })),
  fc.tuple(ids, junk).map(([id, result]) => framed({ jsonrpc: '2.0', id, result: result ?? 0 })),
  fc
    .tuple(ids, junk)
    .map(([id, error]) => framed({ jsonrpc: '2.0', id, error: { code: 1, message: 'x', data: error } })),
);

const brokenJson = fc.constantFrom(
  '{"jsonrpc":',
  'null',
  '[1,2]',
  '[]',
  '5',
  '"hello"',
  '\ufeff{}',
  '{}',
  '\u001b[2J',
  '\u0000\u0000',
  '{"jsonrpc":"2.0"}',
  '{"jsonrpc":"2.0","id":null,"method":"clock"}',
  '{"jsonrpc":"2.0","id":1e999,"method":"clock"}',
  '{"jsonrpc":"2.0","id":{},"method":"clock"}',
  '{"jsonrpc":"2.0","id":[1],"method":"clock"}',
  '{"jsonrpc":"2.0","id":true,"method":"clock"}',
  '{"jsonrpc":"2.0","method":"$/cancelRequest"}',
  '{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":null}}',
  '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"no"}}',
  `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
  `{"jsonrpc":"2.0","id":1,"method":"apply","params":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`,
);
const headers = fc.constantFrom(
  'GET / HTTP/1.0\r\n\r\n',
  'Content-Length: 33554433\r\n\r\n{',
  'Content-Length: 999999999999999\r\n\r\n{',
  'Content-Length: 9999999999999999999\r\n\r\n{',
  'Content-Length: -1\r\n\r\n{}',
  'Content-Length: 0\r\n\r\n',
  'Content-Length: 2.5\r\n\r\n{}',
  'Content-Length: 0x2\r\n\r\n{}',
  'Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
  'Content-Length: 2\n\n{}',
  'Content-Type: application/json; charset=utf-16\r\nContent-Length: 2\r\n\r\n{}',
  `Content-Type: ${'x'.repeat(2000)}`,
  '\r\n\r\n',
  'Content-Length: 1000\r\n\r\n{"jsonrpc":"2.0"',
);

/** Most of it ends the channel; the rest is merely never finished. */
export const endings = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  brokenJson.map((text) => withHeader(Buffer.from(text))),
  fc
    .array(brokenJson, { minLength: 2, maxLength: 5 })
    .map((texts) => Buffer.concat(texts.map((text) => withHeader(Buffer.from(text))))),
  fc.uint8Array({ minLength: 1, maxLength: 100 }).map((bytes) => withHeader(Buffer.from(bytes))),
  headers.map((text) => Buffer.from(text)),
  fc.tuple(requests, fc.nat(), fc.nat(255)).map(([{ bytes }, where, value]) => {
    const flipped = Buffer.from(bytes);
    flipped[where % bytes.length] = value;
    return flipped;
  }),
  fc.tuple(requests, fc.nat()).map(([{ bytes }, where]) => bytes.subarray(0, where % bytes.length)),
);

/** `messages` in each batch. */
export function batches(messages: number): fc.Arbitrary<Batch> {
  const frame = fc.oneof({ weight: 12, arbitrary: requests }, { weight: 1, arbitrary: unanswered });
  const frames = fc.array(frame, { minLength: messages - 1, maxLength: messages - 1 });
  const pieceBytes = fc.constantFrom(7, 100, 4096, 1_000_000);
  // A message that ends a channel leaves most requests unanswered.
  return fc.oneof(
    { weight: 3, arbitrary: fc.record({ frames, pieceBytes }) },
    { weight: 2, arbitrary: fc.record({ frames, ending: endings, pieceBytes }) },
  );
}

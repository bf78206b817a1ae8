import { PassThrough, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { VnmError } from '../../src/model/errors.ts';
import { maxMessageBytes } from '../../src/vsys/messages.ts';
import { createRpcClient, type Handlers, type RpcClient, type RpcServer, serveRpc } from '../../src/vsys/rpc.ts';

const patience = { timeout: 20_000 };

const never = new Promise<never>(() => {});

/** Handlers of which a test passes those that it needs. */
function handlersWith(some: Partial<Handlers>): Handlers {
  return new Proxy(some, {
    get: (target, method) => target[method as keyof Handlers] ?? (() => Promise.reject(new Error('not under test'))),
  }) as Handlers;
}

interface Pair {
  readonly client: RpcClient;
  readonly server: RpcServer;
  readonly toServer: PassThrough;
  readonly toClient: PassThrough;
}

function connect(some: Partial<Handlers>): Pair {
  const toServer = new PassThrough();
  const toClient = new PassThrough();
  const server = serveRpc(toServer, toClient, handlersWith(some));
  return { client: createRpcClient(toClient, toServer), server, toServer, toClient };
}

/** A server alone, and everything that it writes. */
function serveRaw(some: Partial<Handlers> = {}): { input: PassThrough; said: () => string; server: RpcServer } {
  const input = new PassThrough();
  const chunks: string[] = [];
  const output = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  return { input, said: () => chunks.join(''), server: serveRpc(input, output, handlersWith(some)) };
}

function framed(value: unknown): string {
  const body = typeof value === 'string' ? value : JSON.stringify(value);
  return `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** The answer to bytes that are not a message. */
function refusal(message: string): string {
  return framed({ jsonrpc: '2.0', id: null, error: { code: -32602, message, data: { code: 'invalid-input' } } });
}

describe('createRpcClient and serveRpc', () => {
  it('a call carries parameters with defaults there and the result back', async () => {
    const { client } = connect({
      stream_report: async ({ stream, close }) => {
        expect({ stream, close }).toEqual({ stream: 'a', close: false });
        return { sent: 1, received: 2, duplicated: 3, reordered: 4, maxGapMs: 5.5, dropped: 6 };
      },
    });
    expect(await client.call('stream_report', { stream: 'a' })).toEqual({
      sent: 1,
      received: 2,
      duplicated: 3,
      reordered: 4,
      maxGapMs: 5.5,
      dropped: 6,
    });
  });

  it('simultaneous requests each get their own answer', async () => {
    const { client } = connect({
      routes: async ({ namespace = '' }) => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
        return { digest: '', routes: [{ prefix: namespace, type: 'unicast', nexthops: [], protocol: 'boot' }] };
      },
    });
    const names = Array.from({ length: 500 }, (_, index) => `n${index}`);
    const answers = await Promise.all(names.map((namespace) => client.call('routes', { namespace })));
    expect(answers.map(({ routes }) => routes[0]!.prefix)).toEqual(names);
  });

  it('an error keeps its code, message and hint on its way to the client', async () => {
    const { client } = connect({
      inventory: async () => {
        throw new VnmError('conflict', 'it is in use', { hint: 'take it down first' });
      },
    });
    await expect(client.call('inventory', {})).rejects.toMatchObject({
      name: 'VnmError',
      code: 'conflict',
      message: 'it is in use',
      hint: 'take it down first',
    });
  });

  it('any other error of a handler becomes a failure', async () => {
    const { client } = connect({
      inventory: async () => {
        throw new TypeError('x is not a function');
      },
    });
    await expect(client.call('inventory', {})).rejects.toMatchObject({
      code: 'failed',
      message: 'x is not a function',
      hint: undefined,
    });
  });

  it('bad parameters are refused before they are sent, and when they are received', async () => {
    const { client } = connect({});
    await expect(client.call('routes', { namespace: 5 } as never)).rejects.toMatchObject({
      code: 'invalid-input',
      message: 'routes: namespace: Invalid input: expected string, received number',
    });
    const { input, said } = serveRaw();
    input.write(framed({ jsonrpc: '2.0', id: 7, method: 'routes', params: { namespace: 5 } }));
    await expect.poll(said, patience).toBe(
      framed({
        jsonrpc: '2.0',
        id: 7,
        error: {
          code: -32602,
          message: 'routes: namespace: Invalid input: expected string, received number',
          data: { code: 'invalid-input' },
        },
      }),
    );
  });

  it('an unknown method is answered with an error, and the channel stays open', async () => {
    const { input, said } = serveRaw({ clock: async () => ({ receivedAt: 1, sentAt: 2 }) });
    input.write(framed({ jsonrpc: '2.0', id: 1, method: 'constructor', params: {} }));
    input.write(framed({ jsonrpc: '2.0', id: 2, method: 'clock', params: {} }));
    await expect.poll(said, patience).toBe(
      framed({
        jsonrpc: '2.0',
        id: 1,
        error: {
          code: -32602,
          message: 'unknown method "constructor"',
          data: { code: 'invalid-input', hint: 'use the same version at both ends' },
        },
      }) + framed({ jsonrpc: '2.0', id: 2, result: { receivedAt: 1, sentAt: 2 } }),
    );
  });

  it('a call gives up after its time limit, or when it is aborted', async () => {
    const { client } = connect({ inventory: () => never });
    await expect(client.call('inventory', {}, { timeoutMs: 10 })).rejects.toMatchObject({
      code: 'timeout',
      message: "no answer to 'inventory' within 10 ms",
    });
    const controller = new AbortController();
    const call = client.call('inventory', {}, { signal: controller.signal });
    controller.abort();
    const interrupted = { code: 'interrupted', message: "'inventory' was interrupted" };
    await expect(call).rejects.toMatchObject(interrupted);
    await expect(client.call('inventory', {}, { signal: AbortSignal.abort() })).rejects.toMatchObject(interrupted);
  });
});

describe('a lost channel', () => {
  const lost = { code: 'unreachable', message: "the channel closed before 'inventory' was answered" };

  it.each([
    ['the server closes', ({ server }: Pair) => server.close()],
    ['the client closes', ({ client }: Pair) => client.close()],
    ['the stream ends', ({ toClient }: Pair) => toClient.end()],
    ['the stream is cut', ({ toClient }: Pair) => toClient.destroy()],
  ])('all pending and later calls are rejected when %s', async (_name, lose) => {
    const pair = connect({ inventory: () => never });
    let closed = 0;
    pair.client.onClose(() => {
      closed += 1;
    });
    const calls = [pair.client.call('inventory', {}), pair.client.call('inventory', {})];
    lose(pair);
    for (const call of calls) await expect(call).rejects.toMatchObject(lost);
    await expect(pair.client.call('inventory', {})).rejects.toMatchObject(lost);
    expect(closed).toBe(1);
  });

  it('the error of a lost channel says why it was lost', async () => {
    const pair = connect({ inventory: () => never });
    const call = pair.client.call('inventory', {});
    pair.toClient.destroy(new Error('connection reset'));
    await expect(call).rejects.toMatchObject({ ...lost, message: `${lost.message}: connection reset` });
  });

  it('the signal of a request aborts when its channel has ended', async () => {
    const { promise: began, resolve: begin } = Promise.withResolvers<void>();
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    const { client } = connect({
      reach: async (_params, ended) => {
        ended!.addEventListener('abort', () => end());
        begin();
        return never;
      },
    });
    const asked = client.call('reach', { from: '10.0.0.1', to: ['10.0.0.2'], timeoutMs: 1000 });
    await began;
    client.close();
    await over;
    await expect(asked).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('a server ends when its client closes the channel', async () => {
    const { client, server } = connect({});
    client.close();
    expect(await server.closed).toBeUndefined();
  });

  it('a client that receives no messages reports a lost channel, and quotes the text', async () => {
    const { client, toClient } = connect({ inventory: () => never });
    const call = client.call('inventory', {});
    toClient.end('This account is not available.\r\n\r\n');
    await expect(call).rejects.toMatchObject({
      ...lost,
      message: `${lost.message}: expected a message with Content-Length, got "This account is not available."`,
    });
  });
});

describe('hostile input', () => {
  it.each([
    ['garbage', 'GET / HTTP/1.0\r\n\r\n', 'expected a message with Content-Length, got "GET / HTTP/1.0\\r\\n\\r\\n"'],
    [
      'a message that is too large',
      `Content-Length: ${maxMessageBytes + 1}\r\n\r\n{`,
      'message too large: 33554433 bytes (at most 33554432)',
    ],
  ])('%s is answered and closes the channel', async (_name, text, message) => {
    const { input, said, server } = serveRaw();
    input.write(text);
    expect(await server.closed).toMatchObject({ code: 'invalid-input', message });
    expect(said()).toBe(refusal(message));
    await expect.poll(() => input.destroyed, patience).toBe(true);
  });

  it.each([
    ['text that is not JSON', '{"jsonrpc":'],
    ['null', 'null'],
    ['a list', '[1,2]'],
    ['neither request nor answer', '{"jsonrpc":"2.0"}'],
    ['a request without a usable id', '{"jsonrpc":"2.0","id":null,"method":"clock"}'],
    ['a cancellation of nothing', '{"jsonrpc":"2.0","method":"$/cancelRequest"}'],
  ])('%s is answered and closes the channel', async (_name, body) => {
    const { input, said, server } = serveRaw();
    input.write(framed(body));
    const reason = await server.closed;
    expect(reason?.message).toMatch(/^not a JSON-RPC message: /);
    expect(said()).toBe(refusal(reason!.message));
  });

  it('a request that is too large fails at the client, and the channel stays open', async () => {
    const { client } = connect({ clock: async () => ({ receivedAt: 1, sentAt: 2 }) });
    const namespaces = Array.from({ length: 450_000 }, (_, index) => `${'n'.repeat(50)}${index}`);
    const operations = namespaces.map((namespace) => ({ op: 'netns_down' as const, namespace }));
    await expect(client.call('apply', { operations })).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringMatching(/^apply: message too large: \d{8} bytes \(at most 33554432\)$/),
    });
    expect(await client.call('clock', {})).toEqual({ receivedAt: 1, sentAt: 2 });
  });

  it('an answer that is too large becomes an error at the client', async () => {
    const { client } = connect({
      path_mtu: async () => ({ mtus: Array.from({ length: 4_000_000 }, () => 1_234_567_890) }),
    });
    await expect(client.call('path_mtu', { remotes: [] })).rejects.toMatchObject({
      code: 'invalid-input',
      message: 'message too large: 44000044 bytes (at most 33554432)',
    });
  });

  it('a server stops reading while enough requests are in progress', async () => {
    let started = 0;
    const release: (() => void)[] = [];
    const { input, said } = serveRaw({
      clock: async () => {
        started += 1;
        await new Promise<void>((resolve) => release.push(resolve));
        return { receivedAt: 1, sentAt: 2 };
      },
    });
    const requests = Array.from({ length: 2000 }, (_, id) =>
      framed({ jsonrpc: '2.0', id, method: 'clock', params: {} }),
    );
    for (const request of requests) input.write(request);
    await expect.poll(() => started, patience).toBe(32);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(started).toBe(32);
    const releaseAll = setInterval(() => {
      for (const resolve of release.splice(0)) resolve();
    }, 1);
    await expect.poll(() => said().match(/"result"/g)?.length, patience).toBe(2000);
    clearInterval(releaseAll);
  });
});

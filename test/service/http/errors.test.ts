import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { VnmError } from '../../../src/model/errors.ts';
import { fakeOperations } from '../support/fake-operations.ts';
import { host, type Method, ownServer, token } from '../support/server.ts';

const invalid = (message: string) => ({ status: 400, json: { error: { code: 'invalid-input', message } } });

describe('errors', () => {
  test.each([
    ['conflict', 409],
    ['not-found', 404],
    ['forbidden', 403],
    ['unsupported', 422],
    ['timeout', 504],
    ['usage', 400],
    ['unreachable', 502],
    ['interrupted', 503],
    ['failed', 500],
  ] as const)('an error %s is answered by %i with message and hint', async (code, status) => {
    const verify = async () => {
      throw new VnmError(code, 'what failed', { hint: 'what to do' });
    };
    const { ask, logged } = await ownServer({}, { operations: fakeOperations({ verify }) });
    expect(await ask('POST', '/api/slices/three/verify')).toEqual({
      status,
      json: { error: { code, message: 'what failed', hint: 'what to do' } },
    });
    const failures = logged.records().filter(({ event }) => event === 'request-failed');
    expect(failures).toMatchObject(status < 500 ? [] : [{ status, err: { code, message: 'what failed' } }]);
  });

  test('an unforeseen error is answered by 500 in the same format, and logged with its stack', async () => {
    const verify = async () => {
      throw new TypeError('x is undefined');
    };
    const { ask, logged } = await ownServer({}, { operations: fakeOperations({ verify }) });
    expect(await ask('POST', '/api/slices/three/verify')).toEqual({
      status: 500,
      json: { error: { code: 'failed', message: 'x is undefined' } },
    });
    expect(logged.records()[0]).toMatchObject({
      level: 'warn',
      event: 'request-failed',
      method: 'POST',
      route: '/api/slices/:slice/verify',
      status: 500,
      err: { code: 'failed', stack: expect.stringContaining('TypeError') },
    });
  });

  test.each<[Method, string]>([
    ['GET', '/'],
    ['GET', '/api/nothing?x=1'],
    ['POST', '/api/slices/three'],
    ['DELETE', '/api/slices/three'],
    ['GET', '/api/slices/three/verify'],
  ])('%s %s is answered by 404', async (method, url) => {
    const { ask } = await ownServer();
    expect(await ask(method, url)).toEqual({
      status: 404,
      json: {
        error: {
          code: 'not-found',
          message: `unknown route: ${method} ${url.split('?')[0]}`,
          hint: 'send GET /api/openapi.json to list all routes',
        },
      },
    });
  });

  const post = async (payload: string, headers: Record<string, string> = {}) => {
    const { server } = await ownServer();
    const { statusCode: status, ...answer } = await server.app.inject({
      method: 'POST',
      url: '/api/slices/three/verify',
      headers: { host, authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      payload,
    });
    return { status, json: answer.json() as { error: { code: string; message: string } } };
  };

  test.each([
    ['not JSON', '{', 400],
    ['empty, with the content type JSON', '', 400],
    ['an object with the key __proto__', '{"__proto__": {"x": 1}}', 400],
    ['too large', JSON.stringify({ vn: 'x'.repeat(70_000) }), 413],
  ])('a body that is %s is refused in the same format', async (_what, payload, status) => {
    const answer = await post(payload);
    expect(answer).toMatchObject({ status, json: { error: { code: 'invalid-input' } } });
    expect(Object.keys(answer.json)).toEqual(['error']);
  });

  test('a body of the largest allowed size is accepted', async () => {
    expect(await post(JSON.stringify({ vn: 'x'.repeat(65_000) }))).toMatchObject({
      status: 400,
      json: { error: { message: expect.stringContaining('body.vn: not a VN name') } },
    });
  });

  test('an invalid URL is refused in the same format', async () => {
    const { ask } = await ownServer();
    expect(await ask('GET', '/api/slices/%zz')).toEqual(invalid("'/api/slices/%zz' is not a valid url component"));
    expect((await ask('GET', `/api/slices/${'x'.repeat(101)}`)).status).toBeGreaterThanOrEqual(400);
  });

  test.each([
    ['a request that is not HTTP', 'hello\r\n\r\n', 400],
    ['a request with too long headers', `GET / HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ])('%s is answered in the same format', async (_what, text, status) => {
    const { server } = await ownServer({ port: 0 });
    const { hostname, port } = new URL(await server.listen());
    const socket = connect(Number(port), hostname);
    socket.write(text);
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    const [head, body] = answer.split('\r\n\r\n') as [string, string];
    expect(head.split('\r\n')[0]).toContain(`HTTP/1.1 ${status} `);
    expect(JSON.parse(body)).toMatchObject({ error: { code: 'invalid-input' } });
  });
});

import { describe, expect, test } from 'vitest';
import { host, ownServer, token as usualToken } from '../support/server.ts';

describe('protection', () => {
  test('the guard protects all routes, also unknown ones', async () => {
    const { server } = await ownServer();
    for (const url of ['/healthz', '/metrics', '/api/slices', '/nothing'])
      expect((await server.app.inject({ url, headers: { host: 'evil.example' } })).json(), url).toMatchObject({
        error: { code: 'forbidden' },
      });
  });

  test('no answer has headers that allow other sites', async () => {
    const { server } = await ownServer();
    const answers = await Promise.all(
      [
        { url: '/api/slices', headers: { host } },
        { url: '/nothing', headers: { host } },
        { url: '/api/%zz', headers: { host } },
        { method: 'OPTIONS' as const, url: '/api/slices', headers: { host, origin: 'http://evil.example' } },
      ].map((request) => server.app.inject(request)),
    );
    for (const { headers } of answers)
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    for (const { headers } of answers)
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 404, 400, 403]);
  });

  test('a given token is needed for everything but /healthz', async () => {
    const token = 'a-token-that-no-one-guesses';
    const { server, logged } = await ownServer({ token, tokenFor: 'everything' });
    const ask = (url: string, authorization?: string) =>
      server.app.inject({
        method: url.endsWith('verify') ? 'POST' : 'GET',
        url,
        headers: { host, ...(authorization === undefined ? {} : { authorization }) },
      });
    for (const url of ['/metrics', '/api/openapi.json', '/api/slices', '/nothing', '/api/slices/three/verify']) {
      const refused = await ask(url);
      expect(refused.statusCode, url).toBe(401);
      expect(refused.headers['www-authenticate']).toBe('Bearer');
      expect((await ask(url, `Bearer ${token}x`)).statusCode).toBe(401);
      expect((await ask(url, `Bearer ${token}`)).statusCode, url).toBe(url === '/nothing' ? 404 : 200);
    }
    expect((await ask('/healthz')).statusCode).toBe(200);
    expect(logged.text()).not.toContain(token);
    expect(logged.text().toLowerCase()).not.toContain('bearer');
  });

  test('on loopback, changes need the token and reads do not', async () => {
    const { server } = await ownServer();
    const ask = (method: 'GET' | 'HEAD' | 'POST' | 'DELETE', url: string, authorization?: string) =>
      server.app.inject({ method, url, headers: { host, ...(authorization === undefined ? {} : { authorization }) } });
    for (const url of ['/healthz', '/metrics', '/api/openapi.json', '/api/slices', '/api/slices/three', '/api/jobs']) {
      expect((await ask('GET', url)).statusCode, url).toBe(200);
      expect((await ask('HEAD', url)).statusCode, url).toBe(200);
    }
    for (const [method, url] of [
      ['POST', '/api/slices/three/migrations'],
      ['POST', '/api/slices/three/verify'],
      ['POST', '/api/jobs'],
      ['DELETE', '/api/jobs/nightly'],
      ['POST', '/nothing'],
    ] as const) {
      expect((await ask(method, url)).statusCode, url).toBe(401);
      expect((await ask(method, url, `Bearer ${usualToken}x`)).statusCode, url).toBe(401);
      expect((await ask(method, url, `Bearer ${usualToken}`)).statusCode, url).not.toBe(401);
    }
  });

  test('a server that other machines could reach does not start without a token', async () => {
    await expect(ownServer({ host: '0.0.0.0' })).rejects.toThrow(
      "listening on '0.0.0.0', which is not loopback, needs a token",
    );
    await expect(ownServer({ allowedHosts: ['a b'] })).rejects.toThrow("invalid allowed host 'a b'");
  });

  test('the guard uses the port that the server listens on', async () => {
    const { server } = await ownServer({ port: 0 });
    const url = await server.listen();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(new URL(url).port).not.toBe('0');
  });

  test('a port in use is reported', async () => {
    const { server } = await ownServer({ port: 0 });
    const port = Number(new URL(await server.listen()).port);
    const other = await ownServer({ port });
    await expect(other.server.listen()).rejects.toThrow(`cannot listen on 127.0.0.1:${port}: EADDRINUSE`);
  });
});

describe('the log', () => {
  test('the log has a line with the route for each request that may change something, and none for reads', async () => {
    const { ask, logged } = await ownServer();
    await ask('GET', '/api/slices/three');
    await ask('POST', '/api/slices/three/verify');
    await ask('POST', '/api/slices/four/verify');
    await ask('POST', '/nothing', {});
    await ask('DELETE', '/api/jobs/nightly');
    expect(logged.records()).toMatchObject([
      {
        event: 'request',
        method: 'POST',
        route: '/api/slices/:slice/verify',
        status: 200,
        slice: 'three',
        ms: expect.any(Number),
      },
      { event: 'request', status: 404, slice: 'four' },
      { event: 'request', status: 404 },
      { event: 'request', method: 'DELETE', route: '/api/jobs/:name', job: 'nightly', status: 404 },
    ]);
  });
});

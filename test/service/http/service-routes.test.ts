import { describe, expect, test } from 'vitest';
import { host, ownServer } from '../support/server.ts';

describe('the service', () => {
  test('/healthz says that the service works', async () => {
    const { ask } = await ownServer();
    expect(await ask('GET', '/healthz')).toEqual({
      status: 200,
      json: { status: 'ok', version: '1.2.3', detail: 'turns' },
    });
  });

  test('/healthz says why the service does not work', async () => {
    const { ask } = await ownServer({}, { alive: () => ({ ok: false, detail: 'no turn for 90 s' }) });
    expect(await ask('GET', '/healthz')).toEqual({
      status: 503,
      json: { status: 'failing', version: '1.2.3', reason: 'no turn for 90 s' },
    });
  });

  test('/healthz says that the database cannot be read', async () => {
    const { ask, store } = await ownServer();
    store.close();
    const { status, json } = await ask('GET', '/healthz');
    expect(status).toBe(503);
    expect(json).toMatchObject({ status: 'failing', reason: expect.stringContaining('cannot read the database:') });
  });

  test('/metrics returns text', async () => {
    const { server } = await ownServer();
    const answer = await server.app.inject({ url: '/metrics', headers: { host } });
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(answer.body).toBe('up 1\n');
  });

  test('the service answers HEAD like GET, without the body', async () => {
    const { server } = await ownServer();
    const get = await server.app.inject({ url: '/metrics', headers: { host } });
    const head = await server.app.inject({ method: 'HEAD', url: '/metrics', headers: { host } });
    expect(head.statusCode).toBe(200);
    expect(head.body).toBe('');
    for (const name of ['content-type', 'content-length', 'cache-control'])
      expect(head.headers[name], name).toBe(get.headers[name]);
  });

  test('the service answers HEAD on every route with GET, also where GET never ends', async () => {
    const { server, ask } = await ownServer();
    const { paths } = (await ask('GET', '/api/openapi.json')).json as { paths: Record<string, { get?: object }> };
    const read = Object.keys(paths).filter((path) => paths[path]!.get !== undefined);
    expect(read).toContain('/api/events/stream');
    for (const url of read.map((path) => path.replace('{slice}', 'three').replace(/\{\w+\}/, '1'))) {
      const { statusCode, body } = await server.app.inject({ method: 'HEAD', url, headers: { host } });
      expect(statusCode, url).toBe(/\/1/.test(url) ? 404 : 200);
      expect(body).toBe('');
    }
  });
});

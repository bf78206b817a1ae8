import { describe, expect, test } from 'vitest';
import { host, ownServer } from '../support/server.ts';

describe('the service', () => {
  test('tells that it works', async () => {
    const { ask } = await ownServer();
    expect(await ask('GET', '/healthz')).toEqual({
      status: 200,
      json: { status: 'ok', version: '1.2.3', detail: 'turns' },
    });
  });

  test('tells why it does not', async () => {
    const { ask } = await ownServer({}, { alive: () => ({ ok: false, detail: 'no turn for 90 s' }) });
    expect(await ask('GET', '/healthz')).toEqual({
      status: 503,
      json: { status: 'failing', version: '1.2.3', reason: 'no turn for 90 s' },
    });
  });

  test('tells when the database cannot be read', async () => {
    const { ask, store } = await ownServer();
    store.close();
    const { status, json } = await ask('GET', '/healthz');
    expect(status).toBe(503);
    expect(json).toMatchObject({ status: 'failing', reason: expect.stringContaining('the database cannot be read:') });
  });

  test('gives its metrics as text', async () => {
    const { server } = await ownServer();
    const answer = await server.app.inject({ url: '/metrics', headers: { host } });
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(answer.body).toBe('up 1\n');
  });
});

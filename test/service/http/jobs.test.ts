import { describe, expect, test } from 'vitest';
import { VnmError } from '../../../src/model/errors.ts';
import { ownServer } from '../support/server.ts';

describe('jobs', () => {
  const job = {
    name: 'nightly',
    slice: 'three',
    to: ['initial', 'final'],
    cron: '0 3 * * 1',
    timezone: 'Europe/Paris',
  };

  test('jobs are added, shown, paused, resumed, run and removed', async () => {
    const { ask } = await ownServer();
    const active = { ...job, vn: 'three', state: 'active', reason: null };
    expect(await ask('GET', '/api/jobs')).toEqual({ status: 200, json: { jobs: [] } });
    expect(await ask('POST', '/api/jobs', job)).toMatchObject({ status: 201, json: active });
    expect(await ask('GET', '/api/jobs')).toMatchObject({ status: 200, json: { jobs: [active] } });
    const paused = { ...active, state: 'paused', reason: 'by hand', nextRuns: [] };
    expect(await ask('POST', '/api/jobs/nightly/pause')).toMatchObject({ status: 200, json: paused });
    expect(await ask('GET', '/api/jobs/nightly')).toMatchObject({ status: 200, json: paused });
    expect(await ask('POST', '/api/jobs/nightly/resume')).toMatchObject({ status: 200, json: active });
    for (let round = 0; round < 2; round += 1)
      expect(await ask('POST', '/api/jobs/nightly/run')).toMatchObject({ status: 202, json: { attempt: 0 } });
    const { json } = await ask('GET', '/api/jobs/nightly/history');
    expect(json).toMatchObject({ runs: [{ outcome: 'unchanged' }, { outcome: 'unchanged' }] });
    const [newest] = (json as { runs: unknown[] }).runs;
    expect((await ask('GET', '/api/jobs/nightly/history?limit=1')).json).toEqual({ runs: [newest] });
    expect(await ask('DELETE', '/api/jobs/nightly')).toEqual({ status: 204, json: undefined });
    expect((await ask('GET', '/api/jobs/nightly')).status).toBe(404);
  });

  test('a job may move one router by method vroom, with the options of that method', async () => {
    const { ask } = await ownServer();
    const options = { method: 'vroom', controlPlane: 'restart', parallel: 2 };
    const one = { ...job, router: 'a', to: ['p4', 'p1'], options };
    expect(await ask('POST', '/api/jobs', one)).toMatchObject({ status: 201, json: one });
    expect(await ask('GET', '/api/jobs/nightly')).toMatchObject({ status: 200, json: one });
    const { status, json } = await ask('POST', '/api/jobs', { ...one, name: 'other', options: {} });
    const message = 'method instance moves all routers of a VN';
    expect({ status, json }).toMatchObject({ status: 400, json: { error: { code: 'usage', message } } });
  });

  test('a job that does not exist is answered by 404', async () => {
    const { ask } = await ownServer();
    const hint = 'run `pl-vnm job add` to add one';
    const missing = { status: 404, json: { error: { code: 'not-found', message: "there is no job 'x'", hint } } };
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/pause'],
      ['POST', '/resume'],
      ['POST', '/run'],
      ['GET', '/history'],
    ] as const) {
      expect(await ask(method, `/api/jobs/x${path}`)).toEqual(missing);
    }
    expect((await ask('GET', '/api/jobs/..%2fx')).status).toBe(400);
  });

  test('an invalid job is refused with the reason', async () => {
    const { ask } = await ownServer();
    for (const [body, message] of [
      [{ ...job, to: 7, retries: -1 }, 'retries'],
      [{ ...job, cron: undefined }, 'invalid job: neither cron nor at is given'],
      [{ ...job, every: 'day' }, 'every'],
      [[job], ''],
    ] as const) {
      const { status, json } = await ask('POST', '/api/jobs', body);
      expect({ status, json }).toMatchObject({ status: 400, json: { error: { code: 'invalid-input' } } });
      expect((json as { error: { message: string } }).error.message).toContain(message);
    }
    expect((await ask('POST', '/api/jobs', { ...job, slice: 'four' })).status).toBe(404);
    await ask('POST', '/api/jobs', job);
    expect((await ask('POST', '/api/jobs', job)).status).toBe(409);
  });

  test('a job does not run once the service ends, or with unknown options', async () => {
    const { ask, abort } = await ownServer();
    await ask('POST', '/api/jobs', job);
    expect(await ask('POST', '/api/jobs/nightly/run', { force: true })).toEqual({
      status: 400,
      json: { error: { code: 'invalid-input', message: 'body: Unrecognized key: "force"' } },
    });
    abort.abort(new VnmError('interrupted', 'the service ends'));
    expect((await ask('POST', '/api/jobs/nightly/run')).status).toBe(503);
  });
});

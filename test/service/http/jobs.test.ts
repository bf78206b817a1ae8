import { describe, expect, test } from 'vitest';
import { VnmError } from '../../../src/model/errors.ts';
import { ownServer } from '../support/server.ts';

const invalid = (message: string) => ({ status: 400, json: { error: { code: 'invalid-input', message } } });

describe('jobs', () => {
  const job = { name: 'nightly', slice: 'three', to: 'initial,final' };

  test('are added, shown, paused, resumed, run and removed', async () => {
    const { ask } = await ownServer();
    const waiting = { ...job, state: 'waiting' };
    expect(await ask('GET', '/api/jobs')).toEqual({ status: 200, json: { jobs: [] } });
    expect(await ask('POST', '/api/jobs', job)).toEqual({ status: 201, json: waiting });
    expect(await ask('GET', '/api/jobs')).toEqual({ status: 200, json: { jobs: [waiting] } });
    expect(await ask('POST', '/api/jobs/nightly/pause')).toEqual({ status: 200, json: { ...job, state: 'paused' } });
    expect(await ask('GET', '/api/jobs/nightly')).toEqual({ status: 200, json: { ...job, state: 'paused' } });
    expect(await ask('POST', '/api/jobs/nightly/resume')).toEqual({ status: 200, json: waiting });
    for (const number of [1, 2])
      expect(await ask('POST', '/api/jobs/nightly/run')).toEqual({ status: 202, json: { job: 'nightly', number } });
    expect(await ask('GET', '/api/jobs/nightly/history?limit=1')).toEqual({
      status: 200,
      json: { runs: [{ job: 'nightly', number: 2 }] },
    });
    expect(await ask('DELETE', '/api/jobs/nightly')).toEqual({ status: 204, json: undefined });
    expect((await ask('GET', '/api/jobs/nightly')).status).toBe(404);
  });

  test('that there are not, or are wrong, are told of', async () => {
    const { ask, abort } = await ownServer();
    const missing = { status: 404, json: { error: { code: 'not-found', message: "there is no job 'x'" } } };
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
    expect((await ask('POST', '/api/jobs', { ...job, to: 7 })).json).toMatchObject({
      error: { code: 'invalid-input', message: expect.stringContaining('a job:') },
    });
    await ask('POST', '/api/jobs', job);
    expect((await ask('POST', '/api/jobs', job)).status).toBe(409);
    expect((await ask('POST', '/api/jobs', [job])).status).toBe(400);
    expect((await ask('GET', '/api/jobs/..%2fx')).status).toBe(400);
    expect(await ask('POST', '/api/jobs/nightly/run', { force: true })).toEqual(
      invalid('body: Unrecognized key: "force"'),
    );
    abort.abort(new VnmError('interrupted', 'the service ends'));
    expect((await ask('POST', '/api/jobs/nightly/run')).status).toBe(503);
  });
});

import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { MovesPlan } from '../../../src/controller/plan-moves.ts';
import { migrateResultView } from '../../../src/controller/views/migration.ts';
import { VnmError } from '../../../src/model/errors.ts';
import { createHttpServer } from '../../../src/service/http/server.ts';
import { fakeOperations, migrated } from '../support/fake-operations.ts';
import { host, ownServer, token } from '../support/server.ts';

describe('operations', () => {
  const migrateOptions = { control: 'gateway', schedule: 'optimal', granularity: 'gateway', traffic: false };

  test.each([
    ['verify', undefined, ['three']],
    ['verify', { vn: 'three' }, ['three']],
    ['measure', {}, ['three']],
    ['reconcile', undefined, [{ dryRun: false }]],
    ['reconcile', { vn: 'three', dryRun: true }, [{ vn: 'three', dryRun: true }]],
    ['plan', { to: 'final' }, ['three', { to: 'final', granularity: 'gateway' }]],
    [
      'plan',
      { vn: 'three', to: 'final', from: 'initial', schedule: 'drain', urpf: 'strict', latency: 'declared' },
      [
        'three',
        {
          to: 'final',
          from: 'initial',
          schedule: 'drain',
          urpf: 'strict',
          latency: 'declared',
          granularity: 'gateway',
        },
      ],
    ],
    [
      'plan',
      { to: 'p4', router: 'a', method: 'vroom', controlPlane: 'graceful', holdControl: true, parallel: 2 },
      [
        'three',
        {
          ...{ to: 'p4', router: 'a', method: 'vroom', granularity: 'gateway' },
          ...{ controlPlane: 'graceful', holdControl: true, parallel: 2 },
        },
      ],
    ],
    ['resume', undefined, ['three']],
    ['rollback', {}, ['three']],
  ])('%s with %j runs the operation', async (name, body, rest) => {
    const { ask, operations } = await ownServer();
    const { status, json } = await ask('POST', `/api/slices/three/${name}`, body);
    expect(status).toBe(200);
    expect(json).toMatchObject({ slice: 'three' });
    expect(operations.calls).toEqual([[name, 'three', ...rest]]);
  });

  test('a migration has the defaults of the command line, and returns its result', async () => {
    const { ask, operations } = await ownServer();
    expect(await ask('POST', '/api/slices/three/migrations', { to: 'final' })).toEqual({
      status: 200,
      json: migrateResultView(migrated()),
    });
    const all = { to: 'initial', control: 'remote', schedule: 'heuristic', granularity: 'peer', urpf: 'loose' };
    await ask('POST', '/api/slices/three/migrations', { ...all, traffic: true, vn: 'three' });
    const one = { to: 'p4', router: 'a', method: 'vroom', controlPlane: 'graceful', parallel: 3 };
    await ask('POST', '/api/slices/three/migrations', one);
    expect(operations.calls).toEqual([
      ['migrate', 'three', 'three', { to: 'final', ...migrateOptions }],
      ['migrate', 'three', 'three', { ...all, traffic: true }],
      ['migrate', 'three', 'three', { ...migrateOptions, ...one }],
    ]);
  });

  test.each(['migrations', 'resume', 'rollback'])(
    'the route %s answers 200 if there was nothing to do',
    async (name) => {
      const result = migrated({ outcome: 'unchanged' });
      const answer = async () => result;
      const operations = fakeOperations({ migrate: answer, resume: answer, rollback: answer });
      const { ask } = await ownServer({}, { operations });
      expect(await ask('POST', `/api/slices/three/${name}`, { ...(name === 'migrations' && { to: 'final' }) })).toEqual(
        {
          status: 200,
          json: migrateResultView(result),
        },
      );
    },
  );

  test.each(['rolled-back', 'failed'] as const)(
    'a migration that ended %s is answered by 409 with the same body',
    async (outcome) => {
      const result = migrated({ outcome, error: 'node n4 is unreachable', unreachable: ['n4'] });
      const operations = fakeOperations({ migrate: async () => result, resume: async () => result });
      const { ask } = await ownServer({}, { operations });
      for (const [path, body] of [
        ['migrations', { to: 'final' }],
        ['resume', {}],
      ] as const) {
        expect(await ask('POST', `/api/slices/three/${path}`, body)).toEqual({
          status: 409,
          json: migrateResultView(result),
        });
      }
    },
  );

  test('a failed rollback is answered by 409, and the rollback of a trial by 200', async () => {
    const failed = migrated({ outcome: 'failed', error: 'node n4 is unreachable' });
    const first = await ownServer({}, { operations: fakeOperations({ rollback: async () => failed }) });
    expect(await first.ask('POST', '/api/slices/three/rollback')).toEqual({
      status: 409,
      json: migrateResultView(failed),
    });
    const second = await ownServer({}, { operations: fakeOperations({ rollback: async () => undefined }) });
    expect(await second.ask('POST', '/api/slices/three/rollback')).toEqual({
      status: 200,
      json: { outcome: 'rolled-back' },
    });
  });

  test('the plan of moves of routers is answered as it is', async () => {
    const move = { router: 'a', from: 'p1', to: 'p4' };
    const planned: MovesPlan = {
      ...{ slice: 'three', vn: 'three', method: 'vroom', from: 'initial', to: null, checked: true },
      moves: [move],
      groups: [[{ ...move, neighbours: ['b', 'ga'], daemon: 'bird', controlPlane: 'graceful' }]],
      flows: [{ from: 'ha', to: 'hb', oldLatencyMs: 1, newLatencyMs: 2, predictedLost: 0 }],
      refusals: [{ code: 'unsupported', message: 'it cannot', hint: null }],
    };
    const { ask } = await ownServer({}, { operations: fakeOperations({ plan: async () => planned }) });
    const body = { to: 'p4', router: 'a', method: 'vroom' };
    expect(await ask('POST', '/api/slices/three/plan', body)).toEqual({ status: 200, json: planned });
  });

  test('a latency is null if nothing arrived', async () => {
    const { ask } = await ownServer();
    const { json } = await ask('POST', '/api/slices/three/measure');
    expect(json).toMatchObject({ instances: [{ paths: [{ medianMs: null, lost: 50, reportedMs: { min: null } }] }] });
  });

  test.each([
    ['migrations', {}, 'body.to: Invalid input: expected string, received undefined'],
    ['migrations', { to: '../final' }, 'body.to: not a placement name'],
    ['migrations', { to: 'final', offsetsMs: {} }, 'body: Unrecognized key: "offsetsMs"'],
    ['migrations', { to: 'final', control: 'magic' }, 'body.control: Invalid option'],
    ['migrations', { to: 'final', traffic: 'yes' }, 'body.traffic: Invalid input: expected boolean'],
    ['migrations', { to: 'final', parallel: 0 }, 'body.parallel: Too small: expected number to be >=1'],
    ['plan', { to: 'final', parallel: 1.5 }, 'body.parallel: Invalid input: expected int'],
    ['verify', { vn: 7 }, 'body.vn: Invalid input: expected string'],
    ['verify', [], 'body: Invalid input: expected object'],
    ['reconcile', { dryrun: true }, 'body: Unrecognized key: "dryrun"'],
    ['plan', { to: 'final', latency: 'guessed' }, 'body.latency: Invalid option'],
  ])('%s with %j is refused', async (path, body, message) => {
    const { ask, operations } = await ownServer();
    const { status, json } = await ask('POST', `/api/slices/three/${path}`, body);
    expect({ status, json }).toMatchObject({ status: 400, json: { error: { code: 'invalid-input' } } });
    expect((json as { error: { message: string } }).error.message).toContain(message);
    expect(operations.calls).toEqual([]);
  });

  test('an unknown VN or placement is not found, and one of several VNs must be named', async () => {
    const { ask } = await ownServer();
    expect(await ask('POST', '/api/slices/three/verify', { vn: 'other' })).toEqual({
      status: 404,
      json: { error: { code: 'not-found', message: "slice 'three' has no VN 'other'", hint: 'its VNs are three' } },
    });
    expect(await ask('POST', '/api/slices/shared/verify')).toMatchObject({
      status: 400,
      json: { error: { code: 'usage' } },
    });
  });

  test('the service starts no operation once it ends', async () => {
    const { ask, abort, operations } = await ownServer();
    abort.abort(new VnmError('interrupted', 'the service ends'));
    for (const path of ['verify', 'measure', 'reconcile', 'resume', 'rollback'])
      expect(await ask('POST', `/api/slices/three/${path}`)).toEqual({
        status: 503,
        json: { error: { code: 'interrupted', message: 'the service ends' } },
      });
    expect((await ask('POST', '/api/slices/three/plan', { to: 'final' })).status).toBe(503);
    expect((await ask('POST', '/api/slices/three/migrations', { to: 'final' })).status).toBe(503);
    expect((await ask('GET', '/api/slices/three')).status).toBe(200);
    expect(operations.calls).toEqual([]);
  });

  test('an operation continues when its client disconnects', async () => {
    const begun = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const operations = fakeOperations({
      migrate: async () => {
        begun.resolve();
        await go.promise;
        ended.resolve();
        return migrated();
      },
    });
    const { server, logged } = await ownServer({ port: 0 }, { operations });
    const gone = Promise.withResolvers<void>();
    server.app.server.once('connection', (connection: Socket) => connection.once('close', () => gone.resolve()));
    const { hostname, port } = new URL(await server.listen());
    const socket = connect(Number(port), hostname);
    const body = JSON.stringify({ to: 'final' });
    socket.write(
      `POST /api/slices/three/migrations HTTP/1.1\r\nhost: ${hostname}:${port}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await begun.promise;
    socket.destroy();
    await gone.promise;
    go.resolve();
    await ended.promise;
    await server.close();
    expect(logged.records()).toMatchObject([{ event: 'request', route: '/api/slices/:slice/migrations', status: 200 }]);
  });
});

test('the controller runs the operations by default', async () => {
  const { store, logged } = await ownServer();
  const server = await createHttpServer(
    {
      store,
      context: () => ({ store, acceptNewHostKeys: false, report: () => {} }),
      jobs: {} as never,
      metrics: { contentType: 'text/plain', exposition: async () => '' },
      log: logged.log,
      alive: () => ({ ok: true, detail: '' }),
      signal: new AbortController().signal,
    },
    { host: 'localhost', port: 8473, version: '1', token, tokenFor: 'changes' },
  );
  const answers = [];
  for (const [path, payload] of [
    ['plan', { to: 'final', latency: 'declared' }],
    ['verify', {}],
    ['migrations', { to: 'final' }],
    ['resume', {}],
    ['rollback', {}],
    ['reconcile', { vn: 'three' }],
    ['measure', {}],
  ] as const) {
    const answer = await server.app.inject({
      method: 'POST',
      url: `/api/slices/three/${path}`,
      headers: { host, authorization: `Bearer ${token}` },
      payload,
    });
    answers.push([path, answer.statusCode, (answer.json() as { error?: { message: string } }).error?.message]);
  }
  await server.close();
  const notInstalled = "VN 'three' of slice 'three' is not installed";
  const notInterrupted = "no migration of VN 'three' of slice 'three' was interrupted";
  expect(answers).toEqual([
    ['plan', 200, undefined],
    ['verify', 404, notInstalled],
    ['migrations', 404, notInstalled],
    ['resume', 404, notInterrupted],
    ['rollback', 404, notInterrupted],
    ['reconcile', 404, notInstalled],
    ['measure', 404, expect.stringContaining('has no host, and is on no local testbed')],
  ]);
});

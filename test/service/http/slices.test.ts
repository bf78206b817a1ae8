import { describe, expect, test } from 'vitest';
import { flow, migrationStart, redirection } from '../../support/migrations.ts';
import { ownServer } from '../support/server.ts';

const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('slices', () => {
  test('slices are listed by name from the database', async () => {
    const { ask } = await ownServer();
    const { json } = await ask('GET', '/api/slices');
    expect(json).toMatchObject({ slices: [{ slice: 'shared' }, { slice: 'three', vnet: '10.65.0.0/16' }] });
    expect((await ask('GET', '/api/slices/three')).json).toMatchObject({
      slice: 'three',
      vns: [{ vn: 'three', placement: null, placements: ['initial', 'final'] }],
    });
  });

  test.each([
    ['an unknown slice', '/api/slices/four', 404, "there is no slice 'four'"],
    ['a path', '/api/slices/..%2f..%2fetc%2fpasswd', 400, 'params.slice: not a slice name'],
    ['a slice file', '/api/slices/three-node.yaml', 400, 'params.slice: not a slice name'],
    ['a name in upper case', '/api/slices/THREE', 400, 'params.slice: not a slice name'],
  ])('a request for %s is refused', async (_what, url, status, message) => {
    const { ask } = await ownServer();
    for (const path of ['', '/health', '/live', '/migrations']) {
      const answer = await ask('GET', `${url}${path}`);
      expect(answer).toMatchObject({ status, json: { error: { message: expect.stringContaining(message) } } });
    }
  });

  test('the health is the last one recorded, with the service that recorded it', async () => {
    const { ask, store } = await ownServer();
    expect((await ask('GET', '/api/slices/three/health')).json).toEqual({ slice: 'three', service: null, health: [] });
    const record = { vn: '', kind: 'node', name: 'n1', state: 'down', since: 5, cause: 'no answer for 3 s' } as const;
    store.health.save('three', [record]);
    const service = { host: 'here', pid: 7, url: 'http://127.0.0.1:8473', startedAt: 1, seenAt: 2 };
    const shown = { ...service, startedAt: '1970-01-01T00:00:00.001Z', seenAt: '1970-01-01T00:00:00.002Z' };
    store.health.register({ ...service, boot: 'b', processStart: 's' }, () => false);
    expect((await ask('GET', '/api/slices/three/health')).json).toEqual({
      slice: 'three',
      service: shown,
      health: [{ ...record, since: '1970-01-01T00:00:00.005Z' }],
    });
  });

  test('the live status comes from the nodes', async () => {
    const { ask, operations } = await ownServer();
    expect(await ask('GET', '/api/slices/three/live')).toMatchObject({
      status: 200,
      json: { equal: false, differences: [{ node: 'n2' }], unreachable: [{ node: 'n1' }] },
    });
    expect(operations.calls).toEqual([['live', 'three']]);
  });
});

describe('migrations', () => {
  test('migrations of a slice are listed newest first, up to the limit', async () => {
    const { ask, store } = await ownServer();
    const ids = [1, 2, 3].map(() => store.migrations.start(migrationStart()));
    const { json } = await ask('GET', '/api/slices/three/migrations?limit=2');
    expect(json).toMatchObject({ migrations: [{ id: ids[2] }, { id: ids[1] }] });
    expect((await ask('GET', '/api/slices/shared/migrations')).json).toEqual({ migrations: [] });
    for (const limit of ['0', '-1', '501', '1.5', 'x', ''])
      expect((await ask('GET', `/api/slices/three/migrations?limit=${limit}`)).status, limit).toBe(400);
  });

  test('a migration has its phases, redirections, flips and flows', async () => {
    const { ask, store } = await ownServer();
    const id = store.migrations.start(migrationStart());
    store.migrations.phase(id, 'set up', 1000);
    store.migrations.saveRedirections(id, [redirection('g1', 5000, 0.1, 0.2)]);
    const flip = { router: 'a', neighbour: 'b', to: 'p4', startedAt: 6000, finishedAt: 6012.5 };
    store.migrations.addFlip(id, flip);
    store.migrations.saveFlows(id, [flow('e1', 'e2', 100, 2)]);
    expect(await ask('GET', `/api/migrations/${id}`)).toEqual({
      status: 200,
      json: {
        ...store.migrations.find(id),
        startedAt: expect.stringMatching(iso),
        options: { method: 'instance', ...JSON.parse(migrationStart().options) },
        granularity: 'gateway',
        method: 'instance',
        fromRecord: [],
        interrupted: true,
        unreachable: null,
        durationMs: 0,
        phases: [{ name: 'set up', startedAt: '1970-01-01T00:00:01.000Z', finishedAt: null, ms: null }],
        moves: [
          { router: 'a', from: 'p1', to: 'p4' },
          { router: 'b', from: 'p2', to: 'p5' },
          { router: 'c', from: 'p3', to: 'p6' },
        ],
        redirections: [
          {
            ...redirection('g1', 5000, 0.1, 0.2),
            plannedAt: '1970-01-01T00:00:05.000Z',
            startedAt: '1970-01-01T00:00:05.000100Z',
            finishedAt: '1970-01-01T00:00:05.000300Z',
          },
        ],
        flips: [{ ...flip, startedAt: '1970-01-01T00:00:06.000Z', finishedAt: '1970-01-01T00:00:06.012500Z' }],
        flows: [flow('e1', 'e2', 100, 2)],
      },
    });
    expect(await ask('GET', '/api/migrations/99')).toEqual({
      status: 404,
      json: { error: { code: 'not-found', message: 'there is no migration 99' } },
    });
    for (const bad of ['0', 'x', '1e99', '-1']) expect((await ask('GET', `/api/migrations/${bad}`)).status).toBe(400);
  });
});

describe('events', () => {
  test('events are listed oldest first: the latest, or those after one', async () => {
    const { ask, store } = await ownServer();
    for (const kind of ['a', 'b', 'c']) store.events.add(kind === 'b' ? undefined : 'three', kind, 'text', { kind });
    const kinds = async (query: string) =>
      ((await ask('GET', `/api/events${query}`)).json as { events: { kind: string }[] }).events.map(({ kind }) => kind);
    const first = store.events.after(0, 1)[0]!.id;
    expect(await kinds('')).toEqual(['a', 'b', 'c']);
    expect(await kinds('?limit=2')).toEqual(['b', 'c']);
    expect(await kinds('?after=0&limit=2')).toEqual(['a', 'b']);
    expect(await kinds(`?after=${first}`)).toEqual(['b', 'c']);
    expect(await kinds('?slice=three')).toEqual(['a', 'c']);
    expect(await kinds(`?slice=three&after=${first}`)).toEqual(['c']);
    const [last] = store.events.list(undefined, 1);
    expect((await ask('GET', '/api/events?limit=1')).json).toEqual({
      events: [{ ...last, at: new Date(last!.at).toISOString() }],
    });
    expect((await ask('GET', '/api/events?slice=four')).status).toBe(404);
    for (const query of ['after=-1', 'after=x', 'limit=1001', 'slice=..', 'since=1'])
      expect((await ask('GET', `/api/events?${query}`)).status, query).toBe(400);
  });
});

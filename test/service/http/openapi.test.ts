import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { VnmError } from '../../../src/model/errors.ts';
import { flow, migrationStart, redirection } from '../../support/migrations.ts';
import { fakeOperations, migrated } from '../support/fake-operations.ts';
import { host, type Method, type OwnServer, ownServer } from '../support/server.ts';

const schema = z.record(z.string(), z.unknown());
const content = z.record(z.string(), z.strictObject({ schema }));
/** The part of OpenAPI 3.1 that this API may use; other keys are refused. */
const operation = z.strictObject({
  operationId: z.string(),
  summary: z.string().min(5),
  description: z.string().optional(),
  tags: z.array(z.enum(['service', 'slices', 'operations', 'migrations', 'jobs', 'events'])).length(1),
  security: z.array(z.strictObject({ token: z.tuple([]) })).optional(),
  parameters: z
    .array(
      z.strictObject({
        in: z.enum(['path', 'query', 'header']),
        name: z.string(),
        required: z.boolean(),
        description: z.string().optional(),
        schema,
      }),
    )
    .default([]),
  requestBody: z.strictObject({ required: z.boolean(), description: z.string().optional(), content }).optional(),
  responses: z.record(
    z.string().regex(/^([1-5][0-9]{2}|[45]XX)$/),
    z.strictObject({ description: z.string(), content: content.optional() }),
  ),
});
const methods = z.enum(['get', 'post', 'delete']);
const documentSchema = z.looseObject({
  openapi: z.literal('3.1.0'),
  info: z.object({ title: z.string(), version: z.string() }),
  paths: z.record(z.string().startsWith('/'), z.partialRecord(methods, operation)),
});
type Document = z.infer<typeof documentSchema>;
type Operation = z.infer<typeof operation>;

let own: OwnServer;
let document: Document;

beforeEach(async () => {
  own = await ownServer();
  document = documentSchema.parse((await own.ask('GET', '/api/openapi.json')).json);
});

const operations = (): { path: string; method: string; operation: Operation }[] =>
  Object.entries(document.paths).flatMap(([path, byMethod]) =>
    Object.entries(byMethod).map(([method, it]) => ({ path, method, operation: it })),
  );

/** Returns the routes, such as `GET /api/jobs/:name`, from the tree that the router prints. */
function routesIn(tree: string): string[] {
  const above: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const match = /^([│ ]*)[├└]── (\S+)(?: \(([A-Z, ]+)\))?$/.exec(line);
    if (match === null) return [];
    const [, indent, part, list] = match;
    const depth = indent!.length / 4;
    const path = `${above[depth - 1] ?? ''}${part}`;
    above[depth] = path;
    return list === undefined ? [] : list.split(', ').map((method) => `${method} ${path}`);
  });
}

describe('the OpenAPI document', () => {
  test('the document has every route, and no other', async () => {
    const there = routesIn(own.server.app.printRoutes({ commonPrefix: false }));
    expect(there.length).toBeGreaterThan(20);
    const documented = operations().map(
      ({ method, path }) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
    );
    expect(documented.toSorted()).toEqual(there.filter((route) => !route.startsWith('HEAD ')).toSorted());
  });

  test('the document names each operation once, and each path parameter', () => {
    const ids = operations().map(({ operation: { operationId } }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { path, operation: it } of operations()) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = it.parameters.filter((parameter) => parameter.in === 'path');
      expect(declared.map(({ name }) => name)).toEqual(inPath);
      expect(declared.every(({ required }) => required)).toBe(true);
    }
  });

  test('the document describes the errors of each operation', () => {
    for (const { path, operation: it } of operations()) {
      const { schema: error } = it.responses['4XX']!.content!['application/json']!;
      const parsed = z.fromJSONSchema(error as never);
      expect(parsed.safeParse({ error: { code: 'not-found', message: 'no' } }).success, path).toBe(true);
      expect(parsed.safeParse({ error: { code: 'whatever', message: 'no' } }).success, path).toBe(false);
    }
  });

  test('the document has valid schemas', () => {
    const schemas = operations().flatMap(({ operation: it }) => [
      ...it.parameters.map((parameter) => parameter.schema),
      ...[it.requestBody, ...Object.values(it.responses)].flatMap((part) =>
        Object.values(part?.content ?? {}).map((one) => one.schema),
      ),
    ]);
    expect(schemas.length).toBeGreaterThan(70);
    for (const one of schemas) expect(() => z.fromJSONSchema(one as never), JSON.stringify(one)).not.toThrow();
    expect(JSON.stringify(document)).not.toContain('$ref');
  });

  test('the document requires a body only where an option is required', () => {
    const withBody = operations().filter(({ operation: it }) => it.requestBody !== undefined);
    expect(withBody.filter(({ operation: it }) => it.requestBody!.required).map(({ path }) => path)).toEqual([
      '/api/slices/{slice}/plan',
      '/api/slices/{slice}/migrations',
      '/api/jobs',
    ]);
  });

  test('the document has the URL that the client used', async () => {
    expect(document).toMatchObject({ servers: [{ url: `http://${host}` }] });
    const { server } = await ownServer({ allowedHosts: ['vnm.example'] });
    const answer = await server.app.inject({ url: '/api/openapi.json', headers: { host: 'vnm.example' } });
    expect(answer.json()).toMatchObject({ servers: [{ url: '/' }] });
  });

  test('the document says that on loopback only changes need the token', () => {
    expect(document).toMatchObject({
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [],
    });
    for (const { method, path, operation: it } of operations()) {
      expect(it.security ?? [], `${method} ${path}`).toEqual(method === 'get' ? [] : [{ token: [] }]);
    }
  });

  test('the document says that everything needs a given token', async () => {
    const token = 'a-token-that-no-one-guesses';
    const { ask } = await ownServer({ token, tokenFor: 'everything' });
    expect((await ask('GET', '/api/openapi.json')).json).toMatchObject({
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
      paths: { '/healthz': { get: { security: [] } } },
    });
  });
});

/** The service does not check answers against their schemas; these tests do. */
describe('answers match the document', () => {
  const job = {
    name: 'nightly',
    slice: 'three',
    to: ['initial', 'final'],
    cron: '0 3 * * 1',
    options: { urpf: 'strict' },
  };

  async function check(method: Method, url: string, body?: unknown): Promise<void> {
    const { status, json } = await own.ask(method, url, body);
    const path = url.split('?')[0]!;
    const found = operations().find(
      (one) =>
        one.method.toUpperCase() === method && new RegExp(`^${one.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
    );
    const response =
      found!.operation.responses[String(status)] ?? found!.operation.responses[`${status}`.replace(/..$/, 'XX')];
    expect(response, `${method} ${url} answers ${status}`).toBeDefined();
    const answered = response!.content?.['application/json']?.schema;
    if (answered === undefined) return expect(json).toBeUndefined();
    const { error } = z.fromJSONSchema(answered as never).safeParse(json);
    expect(error, `${method} ${url}: ${JSON.stringify(json)}`).toBeUndefined();
  }

  test('answers of successful requests match the document', async () => {
    const { store } = own;
    const id = store.migrations.start(migrationStart());
    store.migrations.phase(id, 'set up', 1000);
    store.migrations.saveRedirections(id, [redirection('g1', 5000, 0.1, 0.2)]);
    store.migrations.saveFlows(id, [flow('e1', 'e2', 100, 2)]);
    store.events.add('three', 'reconciled', 'text', [{ node: 'n1' }]);
    const record = { vn: '', kind: 'node', name: 'n1', state: 'down', since: 5, cause: 'no answer' } as const;
    store.health.save('three', [record]);
    const service = { host: 'here', boot: 'b', pid: 7, processStart: 's', url: 'u', startedAt: 1, seenAt: 2 };
    store.health.register(service, () => false);
    for (const url of [
      '/healthz',
      '/api/openapi.json',
      '/api/slices',
      '/api/slices/three',
      '/api/slices/three/health',
      '/api/slices/three/live',
      '/api/slices/three/migrations',
      `/api/migrations/${id}`,
      '/api/jobs',
      '/api/events',
    ])
      await check('GET', url);
    for (const name of ['verify', 'measure', 'reconcile', 'resume', 'rollback']) {
      await check('POST', `/api/slices/three/${name}`);
    }
    for (const name of ['plan', 'migrations']) await check('POST', `/api/slices/three/${name}`, { to: 'final' });
    await check('POST', '/api/jobs', job);
    for (const action of ['pause', 'resume', 'run']) await check('POST', `/api/jobs/nightly/${action}`);
    await check('GET', '/api/jobs');
    await check('GET', '/api/jobs/nightly');
    await check('GET', '/api/jobs/nightly/history');
    await check('DELETE', '/api/jobs/nightly');
  });

  test('answers of failed requests match the document', async () => {
    const failed = migrated({ outcome: 'failed', error: 'n1 is unreachable', unreachable: ['n1'] });
    const verify = async () => {
      throw new VnmError('unreachable', 'n1 is unreachable', { hint: 'wait' });
    };
    own = await ownServer(
      {},
      { operations: fakeOperations({ migrate: async () => failed, rollback: async () => failed, verify }) },
    );
    await check('POST', '/api/slices/three/migrations', { to: 'final' });
    await check('POST', '/api/slices/three/migrations', {});
    await check('POST', '/api/slices/three/rollback');
    await check('POST', '/api/slices/three/verify');
    await check('GET', '/api/slices/four');
    own = await ownServer({}, { alive: () => ({ ok: false, detail: 'no turn' }) });
    await check('GET', '/healthz');
  });
});

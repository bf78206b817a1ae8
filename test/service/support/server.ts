import { onTestFinished } from 'vitest';
import type { HttpParts } from '../../../src/service/http/parts.ts';
import { createHttpServer, type HttpOptions, type HttpServer } from '../../../src/service/http/server.ts';
import { readSlice } from '../../../src/slicefile/index.ts';
import type { Store } from '../../../src/store/store.ts';
import { type LogLines, logLines } from '../../support/log-lines.ts';
import { gallery } from '../../support/slices.ts';
import { temporaryStore } from '../../support/temporary-store.ts';
import { type FakeOperations, fakeOperations } from './fake-operations.ts';
import { storedJobs } from './stored-jobs.ts';

export type Method = 'GET' | 'HEAD' | 'POST' | 'DELETE';

export interface OwnServer {
  readonly server: HttpServer;
  readonly store: Store;
  readonly operations: FakeOperations;
  readonly logged: LogLines;
  /** Aborts to end the service. */
  readonly abort: AbortController;
  /** Sends a request like a program on this machine, with `body` as JSON. */
  ask(method: Method, url: string, body?: unknown): Promise<{ status: number; json: unknown }>;
}

/** The address at which requests without a network seem to arrive. */
export const host = 'localhost:8473';
/** The token of servers without another one. */
export const token = 'a-token-of-the-tests';

/** Creates a server for the current test, with fake operations and the slices `three` and `shared` in its database. */
export async function ownServer(
  options: Partial<HttpOptions> = {},
  change: Partial<HttpParts> & { operations?: FakeOperations } = {},
): Promise<OwnServer> {
  const { store, remove } = temporaryStore();
  onTestFinished(remove);
  for (const name of ['three-node', 'shared-nodes']) store.slices.save(readSlice(gallery(name)));
  const logged = logLines();
  const abort = new AbortController();
  const { operations = fakeOperations(), ...parts } = change;
  const server = await createHttpServer(
    {
      store,
      context: () => ({ store, acceptNewHostKeys: false, report: () => {}, signal: abort.signal }),
      jobs: storedJobs(store),
      metrics: { contentType: 'text/plain; version=0.0.4; charset=utf-8', exposition: async () => 'up 1\n' },
      log: logged.log,
      alive: () => ({ ok: true, detail: 'turns' }),
      signal: abort.signal,
      ...parts,
    },
    { host: '127.0.0.1', port: 8473, version: '1.2.3', token, tokenFor: 'changes', operations, ...options },
  );
  onTestFinished(() => server.close());
  const ask: OwnServer['ask'] = async (method, url, body) => {
    const payload = body === undefined ? {} : { payload: body as object };
    const answer = await server.app.inject({
      method,
      url,
      headers: { host, authorization: `Bearer ${options.token ?? token}` },
      ...payload,
    });
    return { status: answer.statusCode, json: answer.body === '' ? undefined : answer.json() };
  };
  return { server, store, operations, logged, abort, ask };
}

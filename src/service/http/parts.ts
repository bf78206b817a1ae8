import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Context } from '../../controller/base/context.ts';
import { VnmError } from '../../model/errors.ts';
import type { Slice } from '../../model/slice.ts';
import type { Store } from '../../store/store.ts';
import type { EventFeed } from '../events/feed.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { JobsApi } from './jobs-api.ts';
import type { Operations } from './operations.ts';

/** What the HTTP API needs from the rest of the service. */
export interface HttpParts {
  readonly store: Store;
  /** Returns an operation's context with the service's signal: the operation continues if its client disconnects. */
  context(): Context;
  readonly jobs: JobsApi;
  readonly metrics: Pick<Metrics, 'contentType' | 'exposition'>;
  readonly log: Log;
  /** Whether the health checks run, and a description for people. */
  alive(): { readonly ok: boolean; readonly detail: string };
  /** Aborts when the service ends; from then on it starts no operation. */
  readonly signal: AbortSignal;
}

export interface RouteParts extends HttpParts {
  readonly operations: Operations;
  readonly feed: EventFeed;
  readonly version: string;
  readonly allowedHosts: readonly string[];
}

/** The server to which routes are added. */
export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** Finds a slice by name; unlike the command line, never reads a slice file. Throws VnmError `not-found`. */
export function sliceNamed({ store }: Pick<HttpParts, 'store'>, name: string): Slice {
  const slice = store.slices.find(name);
  if (slice !== undefined) return slice;
  const names = store.slices.names();
  throw new VnmError('not-found', `there is no slice '${name}'`, {
    hint: names.length === 0 ? 'install a slice first' : `choose one of: ${names.join(', ')}`,
  });
}

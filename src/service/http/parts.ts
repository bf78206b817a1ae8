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

/** What the HTTP API is made of; the rest of the service gives it. */
export interface HttpParts {
  readonly store: Store;
  /** For one operation. Its signal is the service's: an operation goes on when the client that asked for it goes away. */
  context(): Context;
  readonly jobs: JobsApi;
  readonly metrics: Pick<Metrics, 'contentType' | 'exposition'>;
  readonly log: Log;
  /** Whether the main loop turns, and in words what it does or since when it does not. */
  alive(): { readonly ok: boolean; readonly detail: string };
  /** Aborts when the service is to end: from then on it begins nothing. */
  readonly signal: AbortSignal;
}

export interface RouteParts extends HttpParts {
  readonly operations: Operations;
  readonly feed: EventFeed;
  readonly version: string;
  readonly allowedHosts: readonly string[];
}

/** What routes are added to. */
export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** A slice by its name. Nothing of a request is ever taken for a file. Throws VnmError `not-found`. */
export function sliceNamed({ store }: Pick<HttpParts, 'store'>, name: string): Slice {
  const slice = store.slices.find(name);
  if (slice !== undefined) return slice;
  const names = store.slices.names();
  throw new VnmError('not-found', `there is no slice '${name}'`, {
    hint: names.length === 0 ? 'install one' : `there is ${names.join(', ')}`,
  });
}

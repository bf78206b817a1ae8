import type { AddressInfo } from 'node:net';
import swagger from '@fastify/swagger';
import fastify from 'fastify';
import { validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { VnmError } from '../../model/errors.ts';
import { eventFeed, type FeedOptions } from '../events/feed.ts';
import { connectionCloser } from './connections.ts';
import { answerNoRequest, errorHandler, notFound } from './errors.ts';
import { addGuard, checkAllowedHosts, type Door, type TokenFor } from './guard.ts';
import { urlHost } from './host.ts';
import { openApi } from './openapi.ts';
import { controllerOperations, type Operations } from './operations.ts';
import type { Api, HttpParts } from './parts.ts';
import { addRequestLog } from './request-log.ts';
import { addEventRoutes } from './routes/events.ts';
import { addJobRoutes } from './routes/jobs.ts';
import { addMigrationRoutes } from './routes/migrations.ts';
import { addOperationRoutes } from './routes/operations.ts';
import { addServiceRoutes } from './routes/service.ts';
import { addSliceRoutes } from './routes/slices.ts';
import { requireToken } from './token.ts';

export interface HttpOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Of the program. */
  readonly version: string;
  /** What a request must bring, and for what: for everything but `/healthz` where `host` is not loopback. */
  readonly token: string;
  readonly tokenFor: TokenFor;
  /** Names that requests may ask for next to loopback and `host`, each with its port or without. */
  readonly allowedHosts?: readonly string[];
  readonly events?: FeedOptions;
  /** By the controller without it. */
  readonly operations?: Operations;
}

export interface HttpServer {
  /** For tests: requests without a network. */
  readonly app: Api;
  /** Answers the URL. Throws VnmError `conflict` when the port is taken, `failed` when it cannot listen there. */
  listen(): Promise<string>;
  /** Ends streams, lets requests under way be answered, and takes no more. */
  close(): Promise<void>;
}

const bodyLimit = 64 * 1024;
/** For a request to arrive. How long an answer may take is not limited: a migration takes its time. */
const requestTimeout = 30_000;
const keepAliveTimeout = 5000;
const maxConnections = 256;

/** The HTTP API, not listening yet. Throws VnmError `usage` when `host` needs a token, or an allowed host is none. */
export async function createHttpServer(parts: HttpParts, options: HttpOptions): Promise<HttpServer> {
  const { host, port, version, token, tokenFor, allowedHosts = [], operations } = options;
  requireToken(host, tokenFor === 'everything' ? token : undefined);
  checkAllowedHosts(allowedHosts);
  const app: Api = fastify({
    bodyLimit,
    requestTimeout,
    keepAliveTimeout,
    return503OnClosing: false,
    clientErrorHandler: answerNoRequest,
    frameworkErrors: errorHandler(parts.log),
  }).withTypeProvider<ZodTypeProvider>();
  app.server.maxConnections = maxConnections;
  const closeConnections = connectionCloser(app.server);
  const door = (): Door => ({ host, port: portOf(app.server.address()) ?? port, allowedHosts, token, tokenFor });

  app.setValidatorCompiler(validatorCompiler);
  // An answer is not checked against its schema: what a migration did must not be lost for an unforeseen field.
  app.setSerializerCompiler(() => JSON.stringify);
  app.setErrorHandler(errorHandler(parts.log));
  app.setNotFoundHandler(notFound);
  addRequestLog(app, parts.log);
  addGuard(app, door);
  // Options all have defaults, so a request may do without a body.
  app.addHook('preValidation', async (request) => {
    request.body ??= {};
  });
  await app.register(swagger, openApi(version, tokenFor));

  const feed = eventFeed(parts.store.events, parts.log, options.events);
  const endFeed = () => feed.close('the service ends');
  parts.signal.addEventListener('abort', endFeed, { once: true });
  app.addHook('preClose', async () => {
    endFeed();
    closeConnections();
  });
  const routeParts = {
    ...parts,
    feed,
    version,
    allowedHosts,
    operations: operations ?? controllerOperations(() => parts.context()),
  };
  for (const add of routes) add(app, routeParts);
  await app.ready();

  return {
    app,
    listen: () => listen(app, host, port),
    close: async () => {
      parts.signal.removeEventListener('abort', endFeed);
      await app.close();
    },
  };
}

const routes = [addServiceRoutes, addSliceRoutes, addOperationRoutes, addMigrationRoutes, addJobRoutes, addEventRoutes];

async function listen(app: Api, host: string, port: number): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const taken = code === 'EADDRINUSE';
    throw new VnmError(taken ? 'conflict' : 'failed', `cannot listen on ${urlHost(host)}:${port}: ${code}`, {
      hint: taken ? 'another program listens there: take another --port' : 'check --host and --port',
      cause: error,
    });
  }
  return `http://${urlHost(host)}:${portOf(app.server.address()) ?? port}`;
}

function portOf(address: AddressInfo | string | null): number | undefined {
  return address === null || typeof address === 'string' ? undefined : address.port;
}

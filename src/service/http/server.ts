import type { AddressInfo } from 'node:net';
import swagger from '@fastify/swagger';
import fastify from 'fastify';
import { validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { VnmError } from '../../model/errors.ts';
import { eventFeed, type FeedOptions } from '../events/feed.ts';
import { connectionCloser } from './connections.ts';
import { answerUnparsable, errorHandler, notFound } from './errors.ts';
import { type AccessRules, addGuard, checkAllowedHosts, type TokenFor } from './guard.ts';
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
  /** 0 stands for any free port. */
  readonly port: number;
  /** The version of the program. */
  readonly version: string;
  readonly token: string;
  /** Which requests need the token; must be everything (except `/healthz`) unless `host` is loopback. */
  readonly tokenFor: TokenFor;
  /** Host names that requests may use besides loopback and `host`. One without a port allows any port. */
  readonly allowedHosts?: readonly string[];
  readonly events?: FeedOptions;
  /** The controller's operations by default. */
  readonly operations?: Operations;
}

export interface HttpServer {
  /** Lets tests send requests without a network. */
  readonly app: Api;
  /** Returns the URL. Throws VnmError `conflict` if the port is in use, `failed` if it cannot listen otherwise. */
  listen(): Promise<string>;
  /** Ends the streams, answers the requests under way, and accepts no more. */
  close(): Promise<void>;
}

const bodyLimit = 64 * 1024;
/** The time within which a request must arrive. An answer has no time limit: a migration may take long. */
const requestTimeout = 30_000;
const keepAliveTimeout = 5000;
const maxConnections = 256;

/** Creates the HTTP API, not listening yet. Throws VnmError `usage` for a missing token or an invalid allowed host. */
export async function createHttpServer(parts: HttpParts, options: HttpOptions): Promise<HttpServer> {
  const { host, port, version, token, tokenFor, allowedHosts = [], operations } = options;
  requireToken(host, tokenFor === 'everything' ? token : undefined);
  checkAllowedHosts(allowedHosts);
  const app: Api = fastify({
    bodyLimit,
    requestTimeout,
    keepAliveTimeout,
    return503OnClosing: false,
    clientErrorHandler: answerUnparsable,
    frameworkErrors: errorHandler(parts.log),
  }).withTypeProvider<ZodTypeProvider>();
  app.server.maxConnections = maxConnections;
  const closeConnections = connectionCloser(app.server);
  const rules = (): AccessRules => ({
    host,
    port: portOf(app.server.address()) ?? port,
    allowedHosts,
    token,
    tokenFor,
  });

  app.setValidatorCompiler(validatorCompiler);
  // Answers are not checked against their schemas: the result of a migration must not be lost for an unforeseen field.
  app.setSerializerCompiler(() => JSON.stringify);
  app.setErrorHandler(errorHandler(parts.log));
  app.setNotFoundHandler(notFound);
  addRequestLog(app, parts.log);
  addGuard(app, rules);
  // All options have defaults, so a request may omit the body.
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
      hint: taken ? 'choose another --port, another program uses this one' : 'check --host and --port',
      cause: error,
    });
  }
  return `http://${urlHost(host)}:${portOf(app.server.address()) ?? port}`;
}

function portOf(address: AddressInfo | string | null): number | undefined {
  return address === null || typeof address === 'string' ? undefined : address.port;
}

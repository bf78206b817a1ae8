import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Log } from '../log.ts';

/** Logs each request that may change something when its answer is ready, even if the client has disconnected. */
export function addRequestLog(app: FastifyInstance, log: Log): void {
  const beganAtMs = new WeakMap<FastifyRequest, number>();
  app.addHook('onRequest', async (request) => {
    beganAtMs.set(request, performance.now());
  });
  app.addHook('onSend', async (request, reply) => {
    const { method, routeOptions, params } = request;
    if (method === 'GET' || method === 'HEAD') return;
    const { slice, name } = (params ?? {}) as { slice?: string; name?: string };
    const { url: route } = routeOptions;
    const ms = Math.round(performance.now() - (beganAtMs.get(request) ?? performance.now()));
    const fields = { method, route, status: reply.statusCode, ms, slice, job: name };
    log.info('request', `${method} ${route ?? '(no route)'}`, fields);
  });
}

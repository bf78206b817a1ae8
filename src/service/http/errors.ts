/** Answers to errors, in the format of the command line's `--json`. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorJson, errorJson, messageOf, VnmError } from '../../model/errors.ts';
import type { Log } from '../log.ts';
import { safeHeaders } from './headers.ts';

/** The most characters shown of a request, which may contain anything. */
const maxShown = 200;

export interface ErrorAnswer {
  readonly status: number;
  readonly body: ErrorJson;
}

/** Returns status and body for anything thrown while a request was served. Pure. */
function answerTo(error: unknown): ErrorAnswer {
  if (error instanceof VnmError) return { status: error.httpStatus, body: errorJson(error) };
  const { statusCode, validation, validationContext } = error as Partial<FastifyError>;
  if (validation !== undefined) {
    const { instancePath, message } = validation[0]!;
    const place = [validationContext, ...instancePath.split('/')].filter((part) => part !== undefined && part !== '');
    return answerTo(
      new VnmError('invalid-input', `${place.join('.')}: ${message ?? 'invalid value'}`.slice(0, maxShown)),
    );
  }
  const isFaultOfRequest = statusCode !== undefined && statusCode >= 400 && statusCode < 500;
  if (!isFaultOfRequest) return { status: 500, body: errorJson(error) };
  return { status: statusCode, body: errorJson(new VnmError('invalid-input', messageOf(error).slice(0, maxShown))) };
}

/** Returns the handler of all errors. Logs errors that are not the client's fault. */
export function errorHandler(log: Log) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const { status, body } = answerTo(error);
    const { method, routeOptions } = request;
    if (status >= 500)
      log.warn('request-failed', body.error.message, { method, route: routeOptions.url, status, err: error });
    // A request that the router rejects has passed no hook.
    void reply.headers(safeHeaders).code(status).send(body);
  };
}

export function notFound({ method, url }: FastifyRequest): never {
  throw new VnmError('not-found', `unknown route: ${method} ${(url.split('?')[0] ?? '').slice(0, maxShown)}`, {
    hint: 'send GET /api/openapi.json to list all routes',
  });
}

/** Answers what Node.js rejects before it is a request: not HTTP, headers too long, sent too slowly. */
export function answerUnparsable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = statusOfUnparsable[error.code ?? ''] ?? 400;
  const body = JSON.stringify(errorJson(new VnmError('invalid-input', `invalid request: ${STATUS_CODES[status]}`)));
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json',
    ...Object.entries(safeHeaders).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

const statusOfUnparsable: Partial<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
};

/**
 * Who may ask the service for what. On loopback every user of the machine can connect: they may read, but change nothing without the
 * token. Two further dangers come from the pages that the user of this machine looks at: their
 * scripts can send requests here (cross-site requests), and can make their own host's name mean this machine (DNS rebinding). So the
 * Host header must be one that the service knows, and what comes from another site is refused. Pure, but for the hook.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { VnmError } from '../../model/errors.ts';
import { safeHeaders } from './headers.ts';
import { isLoopback, isWildcard, parseHostAndPort, urlHost } from './host.ts';
import { bringsToken } from './token.ts';

export interface Door {
  /** Where the service was told to listen. */
  readonly host: string;
  /** Where it does listen. */
  readonly port: number;
  /** Further names that it is asked by, each with its port or with any: behind a reverse proxy, or forwarded. */
  readonly allowedHosts: readonly string[];
  readonly token: string;
  readonly tokenFor: TokenFor;
}

/** For what a request must bring the token: for everything, or only to change something. */
export type TokenFor = 'everything' | 'changes';

/** Of a request what decides. */
export interface Asked {
  readonly method: string;
  /** The pattern; undefined for what there is not. */
  readonly route: string | undefined;
  /** The machine's own address that it came in at. */
  readonly localAddress: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** What asks whether the service lives has no token. */
const openRoute = '/healthz';

/** Refuses at once a name that no Host header could match. Throws VnmError `usage`. */
export function checkAllowedHosts(allowedHosts: readonly string[]): void {
  const bad = allowedHosts.find((text) => parseHostAndPort(text) === undefined);
  if (bad === undefined) return;
  throw new VnmError('usage', `'${bad}' is not a host that requests could name`, {
    hint: 'write it like vnm.example.org, vnm.example.org:8443 or [2001:db8::1]',
  });
}

/** Why a request is refused; undefined when it may pass. */
export function refusalOf(asked: Asked, door: Door): VnmError | undefined {
  return refusedHost(asked, door) ?? refusedSite(asked, door) ?? refusedToken(asked, door) ?? refusedType(asked);
}

/** Puts the door before all routes, also before those that there are not. */
export function addGuard(app: FastifyInstance, door: () => Door): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(safeHeaders);
    const refusal = refusalOf(askedBy(request), door());
    if (refusal?.code === 'unauthorized') reply.header('www-authenticate', 'Bearer');
    if (refusal !== undefined) throw refusal;
  });
}

function askedBy({ method, routeOptions, socket, headers }: FastifyRequest): Asked {
  return { method, route: routeOptions.url, localAddress: socket.localAddress, headers };
}

function refusedHost(asked: Asked, door: Door): VnmError | undefined {
  if (isKnownHost(asked, door)) return undefined;
  const host = header(asked, 'host');
  const named = host === undefined ? 'names no host' : `is for the host '${host.slice(0, 100)}'`;
  return new VnmError('forbidden', `the request ${named}, which is not this service`, {
    hint: `ask http://${urlHost(door.host)}:${door.port}, or start the service with --allowed-host NAME`,
  });
}

function isKnownHost(asked: Asked, door: Door): boolean {
  const named = parseHostAndPort(header(asked, 'host') ?? '');
  if (named === undefined) return false;
  const { host, port = 80 } = named;
  if (isAllowedHost(asked, door)) return true;
  if (port !== door.port) return false;
  if (isLoopback(host) || host === door.host.toLowerCase()) return true;
  // An address cannot be made to mean another machine, only a name can.
  return isWildcard(door.host) && host === asked.localAddress?.toLowerCase().replace(/^::ffff:/, '');
}

function isAllowedHost(asked: Asked, { allowedHosts }: Door): boolean {
  const named = parseHostAndPort(header(asked, 'host') ?? '');
  return allowedHosts.some((text) => {
    const allowed = parseHostAndPort(text);
    return allowed?.host === named?.host && (allowed?.port === undefined || allowed.port === named?.port);
  });
}

function refusedToken(asked: Asked, { token, tokenFor }: Door): VnmError | undefined {
  if (isRead(asked) && (tokenFor === 'changes' || asked.route === openRoute)) return undefined;
  if (bringsToken(header(asked, 'authorization'), token)) return undefined;
  const where = tokenFor === 'changes' ? "; 'pl-vnm token' prints it" : '';
  return new VnmError('unauthorized', 'the request does not bring the token of this service', {
    hint: `send the header 'Authorization: Bearer TOKEN'${where}`,
  });
}

function isRead({ method }: Asked): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Also reading is not for pages of other sites: they could not see the answer, but make the service ask its nodes. */
function refusedSite(asked: Asked, door: Door): VnmError | undefined {
  const origin = header(asked, 'origin');
  const site = header(asked, 'sec-fetch-site');
  const isForeign =
    (origin !== undefined && !ownOrigins(asked, door).includes(origin.toLowerCase())) ||
    (site !== undefined && site !== 'same-origin' && site !== 'none' && !isFollowedLink(asked));
  if (!isForeign) return undefined;
  return new VnmError('forbidden', 'the request comes from a page of another site');
}

/** Behind a proxy that speaks TLS, the page is by https. */
function ownOrigins(asked: Asked, door: Door): string[] {
  const host = header(asked, 'host')!.toLowerCase();
  return isAllowedHost(asked, door) ? [`http://${host}`, `https://${host}`] : [`http://${host}`];
}

function isFollowedLink(asked: Asked): boolean {
  return isRead(asked) && header(asked, 'sec-fetch-mode') === 'navigate';
}

/** A page of another site can send forms and plain text without asking first; JSON it cannot. */
function refusedType(asked: Asked): VnmError | undefined {
  if (isRead(asked)) return undefined;
  const type = header(asked, 'content-type');
  if (type === undefined ? !hasBody(asked) : /^application\/json[ \t]*(;|$)/i.test(type)) return undefined;
  return new VnmError('invalid-input', 'the body must be JSON, with that content type', {
    hint: "send the header 'Content-Type: application/json'",
  });
}

function hasBody(asked: Asked): boolean {
  return header(asked, 'transfer-encoding') !== undefined || (header(asked, 'content-length') ?? '0') !== '0';
}

function header({ headers }: Asked, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

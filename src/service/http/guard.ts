/**
 * Decides which requests the service answers. On loopback every user of the machine can connect; without the token they
 * may read but change nothing. Web pages that a user of this machine opens are a further danger: their scripts can send
 * requests here (cross-site requests), and can make the name of their host resolve to this machine (DNS rebinding). So
 * the Host header must be one that the service knows, and requests from other sites are refused. Pure, except for the
 * hook.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { VnmError } from '../../model/errors.ts';
import { safeHeaders } from './headers.ts';
import { isLoopback, isWildcard, parseHostAndPort, urlHost } from './host.ts';
import { hasToken } from './token.ts';

export interface AccessRules {
  /** The host that the service was configured to listen on. */
  readonly host: string;
  /** The port that it listens on. */
  readonly port: number;
  /** Further host names of the service, for a reverse proxy or a forwarded port. One without a port allows any port. */
  readonly allowedHosts: readonly string[];
  readonly token: string;
  readonly tokenFor: TokenFor;
}

/** Which requests need the token: all, or only those that change something. */
export type TokenFor = 'everything' | 'changes';

/** The parts of a request that decide whether it is refused. */
export interface GuardedRequest {
  readonly method: string;
  /** The route's pattern; undefined for an unknown route. */
  readonly route: string | undefined;
  /** The machine's own address at which the request arrived. */
  readonly localAddress: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** The route that never needs the token: health checks have none. */
const openRoute = '/healthz';

/** Throws VnmError `usage` for a name that no Host header could match. */
export function checkAllowedHosts(allowedHosts: readonly string[]): void {
  const bad = allowedHosts.find((text) => parseHostAndPort(text) === undefined);
  if (bad === undefined) return;
  throw new VnmError('usage', `invalid allowed host '${bad}'`, {
    hint: 'write it like vnm.example.org, vnm.example.org:8443 or [2001:db8::1]',
  });
}

/** Returns why a request is refused; undefined if it is accepted. */
export function refusalOf(request: GuardedRequest, rules: AccessRules): VnmError | undefined {
  return (
    refusedHost(request, rules) ?? refusedSite(request, rules) ?? refusedToken(request, rules) ?? refusedType(request)
  );
}

/** Checks every request before its route, also requests for unknown routes. */
export function addGuard(app: FastifyInstance, rules: () => AccessRules): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(safeHeaders);
    const refusal = refusalOf(guarded(request), rules());
    if (refusal?.code === 'unauthorized') reply.header('www-authenticate', 'Bearer');
    if (refusal !== undefined) throw refusal;
  });
}

function guarded({ method, routeOptions, socket, headers }: FastifyRequest): GuardedRequest {
  return { method, route: routeOptions.url, localAddress: socket.localAddress, headers };
}

function refusedHost(request: GuardedRequest, rules: AccessRules): VnmError | undefined {
  if (isKnownHost(request, rules)) return undefined;
  const host = header(request, 'host');
  const problem =
    host === undefined ? 'has no Host header' : `is for the host '${host.slice(0, 100)}', not for this service`;
  return new VnmError('forbidden', `the request ${problem}`, {
    hint: `use http://${urlHost(rules.host)}:${rules.port}, or start the service with --allowed-host NAME`,
  });
}

function isKnownHost(request: GuardedRequest, rules: AccessRules): boolean {
  const named = parseHostAndPort(header(request, 'host') ?? '');
  if (named === undefined) return false;
  const { host, port = 80 } = named;
  if (isAllowedHost(request, rules)) return true;
  if (port !== rules.port) return false;
  if (isLoopback(host) || host === rules.host.toLowerCase()) return true;
  // Unlike a name, an address cannot be made to resolve to another machine.
  return isWildcard(rules.host) && host === request.localAddress?.toLowerCase().replace(/^::ffff:/, '');
}

function isAllowedHost(request: GuardedRequest, { allowedHosts }: AccessRules): boolean {
  const named = parseHostAndPort(header(request, 'host') ?? '');
  return allowedHosts.some((text) => {
    const allowed = parseHostAndPort(text);
    return allowed?.host === named?.host && (allowed?.port === undefined || allowed.port === named?.port);
  });
}

function refusedToken(request: GuardedRequest, { token, tokenFor }: AccessRules): VnmError | undefined {
  if (isRead(request) && (tokenFor === 'changes' || request.route === openRoute)) return undefined;
  if (hasToken(header(request, 'authorization'), token)) return undefined;
  const where = tokenFor === 'changes' ? '; run `pl-vnm token` to print the token' : '';
  return new VnmError('unauthorized', 'the request does not have the token of this service', {
    hint: `send the header 'Authorization: Bearer TOKEN'${where}`,
  });
}

function isRead({ method }: GuardedRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Refuses pages of other sites, even for reads: they see no answer, but could make the service query its nodes. */
function refusedSite(request: GuardedRequest, rules: AccessRules): VnmError | undefined {
  const origin = header(request, 'origin');
  const site = header(request, 'sec-fetch-site');
  const isForeign =
    (origin !== undefined && !ownOrigins(request, rules).includes(origin.toLowerCase())) ||
    (site !== undefined && site !== 'same-origin' && site !== 'none' && !isFollowedLink(request));
  if (!isForeign) return undefined;
  return new VnmError('forbidden', 'the request comes from a page of another site');
}

/** Returns the origins of the service's own pages. Behind a proxy that speaks TLS, the origin is https. */
function ownOrigins(request: GuardedRequest, rules: AccessRules): string[] {
  const host = header(request, 'host')!.toLowerCase();
  return isAllowedHost(request, rules) ? [`http://${host}`, `https://${host}`] : [`http://${host}`];
}

function isFollowedLink(request: GuardedRequest): boolean {
  return isRead(request) && header(request, 'sec-fetch-mode') === 'navigate';
}

/** Refuses bodies that are not JSON: pages of other sites can send forms and text without preflight, but not JSON. */
function refusedType(request: GuardedRequest): VnmError | undefined {
  if (isRead(request)) return undefined;
  const type = header(request, 'content-type');
  if (type === undefined ? !hasBody(request) : /^application\/json[ \t]*(;|$)/i.test(type)) return undefined;
  return new VnmError('invalid-input', 'the content type of the body must be application/json', {
    hint: "send the header 'Content-Type: application/json'",
  });
}

function hasBody(request: GuardedRequest): boolean {
  return header(request, 'transfer-encoding') !== undefined || (header(request, 'content-length') ?? '0') !== '0';
}

function header({ headers }: GuardedRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

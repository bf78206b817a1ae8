import { describe, expect, test } from 'vitest';
import {
  type AccessRules,
  checkAllowedHosts,
  type GuardedRequest,
  refusalOf,
} from '../../../src/service/http/guard.ts';

const token = 'a-token-of-32-characters-or-so-x';
const loopback: AccessRules = { host: '127.0.0.1', port: 8473, allowedHosts: [], token, tokenFor: 'changes' };

interface Change {
  readonly method?: string;
  readonly route?: string | undefined;
  readonly localAddress?: string;
  readonly headers?: GuardedRequest['headers'];
}

function asked({ headers, ...rest }: Change = {}): GuardedRequest {
  return {
    method: 'GET',
    route: '/api/slices',
    localAddress: '127.0.0.1',
    ...rest,
    headers: { host: '127.0.0.1:8473', ...headers },
  };
}

/** Returns the code of the refusal, or `passes`. */
function verdict(request: Change, rules: Partial<AccessRules> = {}): string {
  return refusalOf(asked(request), { ...loopback, ...rules })?.code ?? 'passes';
}

describe('the Host header', () => {
  const byHost = (host: string | undefined, rules: Partial<AccessRules> = {}, localAddress = '10.0.0.5') =>
    verdict({ headers: { host }, localAddress }, rules);

  test.each(['127.0.0.1:8473', 'localhost:8473', 'LOCALHOST:8473', '[::1]:8473', '127.1.2.3:8473'])(
    'the Host header %s passes at a service on loopback',
    (host) => expect(byHost(host)).toBe('passes'),
  );

  test.each([
    ['a foreign name that resolves to this machine', 'evil.example:8473'],
    ['a name that begins with localhost', 'localhost.evil.example:8473'],
    ['a name that begins with a loopback address', '127.0.0.1.evil.example:8473'],
    ['a name below localhost', 'evil.localhost:8473'],
    ['loopback with another port', '127.0.0.1:8474'],
    ['loopback with the default port', 'localhost'],
    ['no port after the colon', 'localhost:'],
    ['an address of another machine', '10.0.0.5:8473'],
    ['the wildcard address', '0.0.0.0:8473'],
    ['a user before the host', 'localhost:8473@evil.example'],
    ['a path after the host', 'localhost:8473/x'],
    ['two hosts', 'localhost:8473, evil.example'],
    ['an invalid address', '127.0.0.1.:8473'],
    ['loopback as a decimal number', '2130706433:8473'],
    ['a mapped address', '[::ffff:127.0.0.1]:8473'],
    ['brackets around a name', '[localhost]:8473'],
    ['a line break', 'localhost:8473\n'],
    ['no host', ''],
    ['no value', undefined],
  ])('a Host header with %s is refused', (_what, host) => expect(byHost(host)).toBe('forbidden'));

  test('the Host header may omit port 80', () => {
    expect(byHost('localhost', { port: 80 })).toBe('passes');
    expect(byHost('localhost:80', { port: 80 })).toBe('passes');
  });

  test('the host that the service listens on passes, and so does loopback', () => {
    for (const [told, host] of [
      ['10.0.0.5', '10.0.0.5:8473'],
      ['vnm.example', 'vnm.example:8473'],
      ['VNM.example', 'vnm.example:8473'],
      ['2001:db8::5', '[2001:db8::5]:8473'],
      ['10.0.0.5', 'localhost:8473'],
    ] as const) {
      expect(byHost(host, { host: told })).toBe('passes');
    }
    expect(byHost('10.0.0.6:8473', { host: '10.0.0.5' })).toBe('forbidden');
    expect(byHost('vnm.example:80', { host: 'vnm.example' })).toBe('forbidden');
  });

  test.each(['0.0.0.0', '::'])('on %s, only the address at which the request arrived passes', (told) => {
    expect(byHost('10.0.0.5:8473', { host: told })).toBe('passes');
    expect(byHost('10.0.0.5:8473', { host: told }, '::ffff:10.0.0.5')).toBe('passes');
    expect(byHost('[2001:db8::5]:8473', { host: told }, '2001:db8::5')).toBe('passes');
    expect(byHost('10.0.0.6:8473', { host: told })).toBe('forbidden');
    expect(byHost('10.0.0.5:80', { host: told })).toBe('forbidden');
    expect(byHost('evil.example:8473', { host: told })).toBe('forbidden');
  });

  test('an allowed host passes, and needs its port only if it was given with one', () => {
    const allowedHosts = ['vnm.example', 'other.example:8443', '[2001:db8::1]'];
    const by = (host: string) => byHost(host, { allowedHosts });
    expect(by('vnm.example')).toBe('passes');
    expect(by('Vnm.Example:9000')).toBe('passes');
    expect(by('other.example:8443')).toBe('passes');
    expect(by('[2001:db8::1]:1')).toBe('passes');
    expect(by('other.example')).toBe('forbidden');
    expect(by('other.example:8444')).toBe('forbidden');
    expect(by('sub.vnm.example')).toBe('forbidden');
    expect(by('')).toBe('forbidden');
  });

  test('the refusal of a host names a valid one, and shows only the beginning of the header', () => {
    const refusal = refusalOf(asked({ headers: { host: `${'x'.repeat(5000)}.example` } }), loopback)!;
    expect(refusal.message.length).toBeLessThan(200);
    expect(refusal.hint).toBe('use http://127.0.0.1:8473, or start the service with --allowed-host NAME');
    expect(refusalOf(asked({ headers: { host: undefined } }), loopback)!.message).toBe(
      'the request has no Host header',
    );
  });

  test('an invalid allowed host is refused at the start', () => {
    expect(() => checkAllowedHosts(['vnm.example', '*.example'])).toThrow("invalid allowed host '*.example'");
    for (const bad of ['http://vnm.example', '2001:db8::1', 'vnm.example:x', 'vnm.example/', ''])
      expect(() => checkAllowedHosts([bad])).toThrow(/^invalid allowed host/);
    expect(checkAllowedHosts(['vnm.example:443', '10.0.0.1', '[::1]:8080'])).toBeUndefined();
  });
});

describe('the token', () => {
  const withToken = (authorization: string | undefined, request: Change = {}) =>
    verdict({ ...request, headers: { authorization, ...request.headers } }, { tokenFor: 'everything' });

  test.each([`Bearer ${token}`, `bearer ${token}`, `BEARER   ${token} `])(
    'the Authorization header %j passes',
    (authorization) => expect(withToken(authorization)).toBe('passes'),
  );

  test.each([
    undefined,
    '',
    token,
    'Bearer',
    'Bearer ',
    `Bearer ${token}x`,
    `Bearer ${token.slice(1)}`,
    `Bearer ${token.toUpperCase()}`,
    `Bearer ${token} ${token}`,
    `Basic ${token}`,
    `Bearer ${'é'.repeat(32)}`,
  ])('the Authorization header %j is refused', (authorization) =>
    expect(withToken(authorization)).toBe('unauthorized'),
  );

  test('a token for everything is needed for all routes but /healthz', () => {
    for (const route of ['/metrics', '/api/openapi.json', '/api/events/stream', undefined])
      expect(withToken(undefined, { route })).toBe('unauthorized');
    expect(withToken(undefined, { route: '/healthz' })).toBe('passes');
  });

  test('the token does not help with a wrong host or another site', () => {
    expect(withToken(`Bearer ${token}`, { headers: { host: 'evil.example' } })).toBe('forbidden');
    expect(withToken(`Bearer ${token}`, { headers: { origin: 'http://evil.example' } })).toBe('forbidden');
    expect(withToken(undefined, { route: '/healthz', headers: { host: 'evil.example' } })).toBe('forbidden');
  });

  test.each(['POST', 'DELETE', 'PUT', 'PATCH', 'OPTIONS', 'WHATEVER'])('on loopback, %s needs the token', (method) => {
    const ask = (authorization?: string, route?: string) => verdict({ method, route, headers: { authorization } });
    expect(ask()).toBe('unauthorized');
    expect(ask(`Bearer ${token}x`)).toBe('unauthorized');
    expect(ask(undefined, '/healthz')).toBe('unauthorized');
    expect(ask(`Bearer ${token}`)).toBe('passes');
  });

  test.each(['GET', 'HEAD'])('on loopback, %s needs no token, and passes with a wrong one', (method) => {
    expect(verdict({ method })).toBe('passes');
    expect(verdict({ method, headers: { authorization: 'Bearer whatever' } })).toBe('passes');
  });

  test('the refusal without a token says what to do', () => {
    const hint = (tokenFor: AccessRules['tokenFor']) =>
      refusalOf(asked({ method: 'POST' }), { ...loopback, tokenFor })!.hint;
    expect(hint('changes')).toBe(
      "send the header 'Authorization: Bearer TOKEN'; run `pl-vnm token` to print the token",
    );
    expect(hint('everything')).toBe("send the header 'Authorization: Bearer TOKEN'");
  });
});

describe('pages of other sites', () => {
  const authorization = `Bearer ${token}`;
  const post = (headers: GuardedRequest['headers'], rules: Partial<AccessRules> = {}) =>
    verdict({ method: 'POST', headers: { authorization, ...headers } }, rules);
  const get = (headers: GuardedRequest['headers']) => verdict({ headers });

  test('a request from no page or from a page of the service passes', () => {
    expect(post({})).toBe('passes');
    expect(post({ origin: 'http://127.0.0.1:8473', 'sec-fetch-site': 'same-origin' })).toBe('passes');
    expect(post({ host: 'LocalHost:8473', origin: 'http://localhost:8473' })).toBe('passes');
    expect(post({ 'sec-fetch-site': 'none' })).toBe('passes');
  });

  test.each([
    'http://evil.example',
    'http://127.0.0.1',
    'http://127.0.0.1:8474',
    'http://localhost:8473',
    'https://127.0.0.1:8473',
    'http://127.0.0.1:8473.evil.example',
    'null',
    '',
  ])('the origin %j is refused, for changes and reads', (origin) => {
    expect(post({ origin })).toBe('forbidden');
    expect(get({ origin })).toBe('forbidden');
  });

  test.each(['cross-site', 'same-site', 'whatever', ''])('Sec-Fetch-Site %j is refused', (site) => {
    expect(post({ 'sec-fetch-site': site })).toBe('forbidden');
    expect(get({ 'sec-fetch-site': site, 'sec-fetch-mode': 'no-cors' })).toBe('forbidden');
  });

  test('a link on a page of another site can be followed, but can change nothing', () => {
    const followed = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    expect(get(followed)).toBe('passes');
    expect(post(followed)).toBe('forbidden');
    expect(verdict({ method: 'DELETE', headers: followed })).toBe('forbidden');
  });

  test('pages of an allowed host may use https', () => {
    const rules = { allowedHosts: ['vnm.example'] };
    expect(post({ host: 'vnm.example', origin: 'https://vnm.example' }, rules)).toBe('passes');
    expect(post({ host: 'vnm.example', origin: 'http://vnm.example' }, rules)).toBe('passes');
    expect(post({ host: 'vnm.example', origin: 'https://evil.example' }, rules)).toBe('forbidden');
    expect(post({ origin: 'https://vnm.example' }, rules)).toBe('forbidden');
  });

  test('a CORS preflight is refused', () => {
    const headers = { origin: 'http://evil.example', 'access-control-request-method': 'POST' };
    expect(verdict({ method: 'OPTIONS', headers })).toBe('forbidden');
  });
});

describe('the type of a body', () => {
  const withType = (type: string | undefined, length: string | undefined = '2', method = 'POST') =>
    verdict({ method, headers: { authorization: `Bearer ${token}`, 'content-type': type, 'content-length': length } });

  test.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON ;charset=utf-8'])(
    'a body of type %s passes',
    (type) => expect(withType(type)).toBe('passes'),
  );

  test.each([
    'text/plain',
    'text/plain; application/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'application/json-seq',
    'application/json, text/plain',
    '',
  ])('the content type %j is refused, with and without a body, for all methods that change something', (type) => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      expect(withType(type, '2', method)).toBe('invalid-input');
      expect(withType(type, '0', method)).toBe('invalid-input');
    }
  });

  test('a body without a content type is refused', () => {
    expect(withType(undefined, '2')).toBe('invalid-input');
    const authorization = `Bearer ${token}`;
    expect(verdict({ method: 'POST', headers: { authorization, 'transfer-encoding': 'chunked' } })).toBe(
      'invalid-input',
    );
    expect(withType(undefined, '0')).toBe('passes');
    expect(verdict({ method: 'DELETE', headers: { authorization } })).toBe('passes');
  });

  test('does not matter to read', () => expect(withType('text/plain', '0', 'GET')).toBe('passes'));
});

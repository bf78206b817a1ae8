/** The stream of events over a real connection. */
import { connect } from 'node:net';
import { setImmediate as soon } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventView } from '../../../src/controller/views/status.ts';
import { VnmError } from '../../../src/model/errors.ts';
import { openStore } from '../../../src/store/store.ts';
import { type OwnServer, ownServer } from '../support/server.ts';
import { eventsIn, idsIn } from '../support/stream.ts';

/** A client that reads the stream of events and collects what it has read. */
async function read(url: string, headers: Record<string, string> = {}) {
  const abort = new AbortController();
  const answer = await fetch(url, { headers, signal: abort.signal });
  const got = { text: '', status: answer.status, headers: answer.headers, stop: () => abort.abort(), ended };
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  async function ended(): Promise<void> {
    while (await more());
  }
  async function more(): Promise<boolean> {
    const { done, value } = await reader.read();
    got.text += value ?? '';
    return !done;
  }
  /** Reads until `isThere` is true. */
  const until = async (isThere: (text: string) => boolean) => {
    while (!isThere(got.text)) if (!(await more())) throw new Error(`the stream ended with: ${got.text}`);
  };
  return Object.assign(got, { until });
}

async function listening(options: Parameters<typeof ownServer>[0] = {}): Promise<OwnServer & { readonly url: string }> {
  const own = await ownServer({ port: 0, ...options });
  return { ...own, url: `${await own.server.listen()}/api/events/stream` };
}

/** Adds events one by one and returns their ids. */
function add({ store }: OwnServer, ...kinds: string[]): number[] {
  return kinds.map((kind) => {
    store.events.add('three', kind, `about ${kind}`, { kind });
    return store.events.lastId();
  });
}

test('the stream delivers events of this process and of others as they happen', async () => {
  const own = await listening();
  add(own, 'before');
  const client = await read(own.url);
  expect(client.status).toBe(200);
  expect(client.headers.get('content-type')).toBe('text/event-stream');
  expect(client.headers.get('cache-control')).toBe('no-store');
  expect(client.headers.get('x-content-type-options')).toBe('nosniff');
  await client.until((text) => text.includes('retry: '));
  const [here] = add(own, 'here');
  const elsewhere = openStore(own.store.path);
  elsewhere.events.add(undefined, 'there', 'of another process');
  elsewhere.close();
  await client.until((text) => eventsIn(text).length === 2);
  expect(eventsIn(client.text)).toEqual(own.store.events.after(here! - 1, 10).map(eventView));
  client.stop();
});

test('a client that reconnects gets what it missed', async () => {
  const own = await listening();
  const ids = add(own, 'a', 'b', 'c');
  const client = await read(own.url, { 'last-event-id': String(ids[0]) });
  await client.until((text) => idsIn(text).length === 2);
  expect(idsIn(client.text)).toEqual(ids.slice(1));
  client.stop();
});

test('a stream can be of one slice, and is refused for an unknown slice or an invalid id', async () => {
  const own = await listening();
  const ids = add(own, 'a');
  own.store.events.add('shared', 'b', 'of another slice');
  const client = await read(`${own.url}?slice=three`, { 'last-event-id': '0' });
  await client.until((text) => idsIn(text).length > 0);
  const [later] = add(own, 'c');
  await client.until((text) => idsIn(text).length > 1);
  expect(idsIn(client.text)).toEqual([ids[0], later]);
  client.stop();
  for (const [query, headers, status] of [
    ['?slice=four', {}, 404],
    ['?slice=..', {}, 400],
    ['', { 'last-event-id': 'x' }, 400],
    ['', { 'last-event-id': '-1' }, 400],
  ] as const) {
    const refused = await fetch(`${own.url}${query}`, { headers });
    expect(refused.status).toBe(status);
    expect(await refused.json()).toMatchObject({ error: { message: expect.any(String) } });
  }
});

test('a line now and then shows that the connection works', async () => {
  const own = await listening({ events: { beatMs: 20 } });
  const client = await read(own.url);
  await client.until((text) => text.split(': alive\n\n').length > 3);
  client.stop();
});

test('the number of clients is limited, and a client that disconnects makes room', async () => {
  const own = await listening({ events: { maxClients: 1 } });
  const first = await read(own.url);
  await first.until((text) => text.includes('retry: '));
  const refused = await fetch(own.url);
  expect(refused.status).toBe(409);
  expect(await refused.json()).toMatchObject({ error: { code: 'conflict' } });
  first.stop();
  let second = await fetch(own.url);
  while (second.status === 409) {
    await soon();
    second = await fetch(own.url);
  }
  expect(second.status).toBe(200);
  await second.body!.cancel();
});

test('a client that does not read is dropped with a reason, and the others are served', async () => {
  const own = await listening({ events: { beatMs: 50 } });
  const { hostname, port, host } = new URL(own.url);
  const good = await read(own.url);
  const slow = connect(Number(port), hostname);
  slow.write(`GET /api/events/stream HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
  slow.pause();
  const wasDropped = () => own.logged.records().some(({ event }) => event === 'events-client-dropped');
  let count = 0;
  for (; !wasDropped(); count += 20) {
    for (let index = 0; index < 20; index += 1) own.store.events.add('three', 'large', 'x'.repeat(20_000));
    await good.until((text) => text.includes(`\nid: ${count + 20}\n`));
    good.text = '';
  }
  good.stop();
  slow.destroy();
});

test('the end of the service ends the streams with a reason', async () => {
  const own = await listening();
  const client = await read(own.url);
  await client.until((text) => text.includes('retry: '));
  own.abort.abort(new VnmError('interrupted', 'the service ends'));
  await client.ended();
  expect(client.text).toContain('event: closed\ndata: {"reason":"the service ends"}\n\n');
  expect((await fetch(own.url)).status).toBe(503);
});

test('closing the server does not wait for clients of the stream', async () => {
  const own = await listening();
  const client = await read(own.url);
  await client.until((text) => text.includes('retry: '));
  await Promise.all([own.server.close(), client.ended()]);
  expect(client.text).toContain('event: closed');
});

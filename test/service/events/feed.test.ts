import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type EventFeed, eventFeed } from '../../../src/service/events/feed.ts';
import { type LogLines, logLines } from '../../support/log-lines.ts';
import { type MemoryEvents, memoryEvents } from '../support/memory-events.ts';
import { idsIn } from '../support/stream.ts';

let events: MemoryEvents;
let logged: LogLines;
let feed: EventFeed;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] });
  events = memoryEvents();
  logged = logLines();
  feed = eventFeed(events, logged.log, { pollMs: 250, beatMs: 15_000, maxClients: 3 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Waits until streams have delivered what they hold. */
const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** Opens a client that reads everything at once. */
function reader(options: Parameters<EventFeed['open']>[0] = {}) {
  const stream = feed.open(options);
  const got = { text: '', stream };
  stream.on('data', (chunk) => {
    got.text += chunk;
  });
  return got;
}

async function pass(ms: number): Promise<void> {
  vi.advanceTimersByTime(ms);
  await settled();
}

describe('the feed', () => {
  test('the feed polls the database once for all clients, and not at all without clients', async () => {
    await pass(10_000);
    expect(events.reads).toBe(0);
    const readers = [reader(), reader(), reader()];
    await settled();
    const before = events.reads;
    events.add(3);
    await pass(250);
    expect(events.reads).toBe(before + 1);
    for (const { text } of readers) expect(idsIn(text)).toEqual([1, 2, 3]);
    for (const { stream } of readers) stream.destroy();
    await settled();
    expect(feed.count()).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a new client gets only new events, and a client that reconnects gets what it missed', async () => {
    events.add(5);
    const fresh = reader();
    const back = reader({ after: 3 });
    await settled();
    expect(idsIn(back.text)).toEqual([4, 5]);
    events.add(1);
    await pass(250);
    expect(idsIn(fresh.text)).toEqual([6]);
    expect(idsIn(back.text)).toEqual([4, 5, 6]);
  });

  test('a client that joins between two polls gets no event twice', async () => {
    const first = reader();
    events.add(2);
    const second = reader();
    const third = reader({ after: 1 });
    await pass(250);
    events.add(1);
    await pass(250);
    expect(idsIn(first.text)).toEqual([1, 2, 3]);
    expect(idsIn(second.text)).toEqual([3]);
    expect(idsIn(third.text)).toEqual([2, 3]);
  });

  test('the feed delivers more events than it reads at once', async () => {
    const { text: _, ...one } = reader();
    const got = reader();
    await settled();
    events.add(1700);
    await pass(250);
    await settled();
    expect(idsIn(got.text).at(-1)).toBeGreaterThan(0);
    for (let round = 0; round < 200 && idsIn(got.text).length < 1700; round += 1) await settled();
    expect(idsIn(got.text)).toEqual(events.all().map(({ id }) => id));
    one.stream.destroy();
  });

  test('a client with an id from another database gets only new events', async () => {
    events.add(2);
    const got = reader({ after: 1000 });
    events.add(1);
    await pass(250);
    expect(idsIn(got.text)).toEqual([3]);
  });

  test('the feed limits the number of clients', async () => {
    const [first] = [reader(), reader(), reader()];
    expect(() => feed.open({})).toThrow('too many clients of the event stream, at most 3 are possible');
    first!.stream.destroy();
    await settled();
    expect(feed.open({})).toBeDefined();
  });

  test('the feed drops and logs a client that reads nothing, and keeps the others', async () => {
    const good = reader();
    const slow = feed.open({});
    await settled();
    events.add(1000);
    await pass(250);
    await pass(15_000);
    expect(feed.count()).toBe(2);
    await pass(15_000);
    expect(feed.count()).toBe(1);
    expect(logged.records()).toMatchObject([
      {
        level: 'warn',
        event: 'events-client-dropped',
        msg: 'dropped a client of the event stream: nothing read for 15 s',
      },
    ]);
    await pass(5000);
    expect(slow.destroyed).toBe(true);
    expect(good.stream.destroyed).toBe(false);
    expect(good.text).toContain(': alive\n\n');
  });

  test('the feed continues after the database could not be read, and logs that once', async () => {
    const got = reader();
    await settled();
    events.failure = new Error('database is locked');
    events.add(1);
    for (let poll = 0; poll < 4; poll += 1) await pass(250);
    expect(logged.records()).toMatchObject([
      { level: 'error', event: 'events-unreadable', err: { message: 'database is locked' } },
    ]);
    events.failure = undefined;
    await pass(250);
    expect(idsIn(got.text)).toEqual([1]);
  });

  test('closing the feed ends all streams with a reason, and opens no more', async () => {
    const readers = [reader(), reader()];
    feed.close('the service ends');
    await settled();
    for (const { text, stream } of readers) {
      expect(text).toContain('event: closed\ndata: {"reason":"the service ends"}\n\n');
      expect(stream.destroyed).toBe(true);
    }
    expect(() => feed.open({})).toThrow('the service ends');
    expect(vi.getTimerCount()).toBe(0);
  });
});

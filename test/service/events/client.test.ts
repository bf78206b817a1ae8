import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { eventView } from '../../../src/controller/views/status.ts';
import { eventClient } from '../../../src/service/events/client.ts';
import { memoryEvents } from '../support/memory-events.ts';
import { eventsIn, idsIn, textOf } from '../support/stream.ts';

/** Returns what the stream has sent so far to a reader without delays. */
function reading(client: { stream: NodeJS.ReadableStream }): () => string {
  let text = '';
  client.stream.on('data', (chunk) => {
    text += chunk;
  });
  return () => text;
}

/** Waits until streams have delivered what they hold. */
const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('a client', () => {
  test('a client first gets the time to reconnect and the id of its last event', () => {
    const client = eventClient(memoryEvents(), { after: 0 });
    expect(textOf(client.stream.read())).toBe('retry: 2000\nid: 0\n\n');
  });

  test('a client gets the missed and then the new events, each once and in order', async () => {
    const events = memoryEvents();
    events.add(5);
    const client = eventClient(events, { after: 2 });
    const text = reading(client);
    await settled();
    expect(idsIn(text())).toEqual([3, 4, 5]);
    events.add(2);
    // The common poll may still deliver events that the client already has.
    client.offer(events.after(3, 10));
    await settled();
    expect(idsIn(text())).toEqual([3, 4, 5, 6, 7]);
    expect(eventsIn(text()).at(-1)).toEqual(eventView(events.all().at(-1)!));
  });

  test('a client of one slice gets only the events of that slice', async () => {
    const events = memoryEvents();
    events.add(2, 'one');
    events.add(2, 'other');
    const client = eventClient(events, { after: 0, slice: 'one' });
    const text = reading(client);
    await settled();
    events.add(1, 'other');
    events.add(1, 'one');
    events.add(1, null);
    client.offer(events.after(4, 10));
    await settled();
    expect(idsIn(text())).toEqual([1, 2, 6]);
  });

  test('a client that missed many events gets them all, without holding them all in memory', async () => {
    const events = memoryEvents();
    events.add(5000);
    const client = eventClient(events, { after: 0 });
    let text = '';
    let most = 0;
    for (let isMore = true; isMore; ) {
      await settled();
      most = Math.max(most, client.stream.readableLength);
      const chunk = client.stream.read() as Buffer | null;
      text += textOf(chunk);
      isMore = chunk !== null;
    }
    expect(idsIn(text)).toEqual(events.all().map(({ id }) => id));
    expect(most).toBeLessThan(2 * client.stream.readableHighWaterMark);
  });

  test('a slow client misses nothing, and gets its events from the database', async () => {
    const events = memoryEvents();
    const client = eventClient(events, { after: 0 });
    let text = textOf(client.stream.read());
    for (let round = 0; round < 50; round += 1) {
      events.add(100);
      client.offer(events.after(round * 100, 100));
      expect(client.stream.readableLength).toBeLessThan(2 * client.stream.readableHighWaterMark);
      if (round % 10 === 0) text += textOf(client.stream.read());
    }
    for (let isMore = true; isMore; ) {
      await settled();
      const chunk = client.stream.read() as Buffer | null;
      text += textOf(chunk);
      isMore = chunk !== null;
    }
    expect(idsIn(text)).toEqual(events.all().map(({ id }) => id));
  });

  test('no text of an event can break the lines of the stream', async () => {
    const events = memoryEvents();
    events.add(1, 'one', 'a\n\nid: 99\r\ndata: {}');
    const client = eventClient(events, { after: 0 });
    const text = reading(client);
    await settled();
    expect(idsIn(text())).toEqual([1]);
    expect(eventsIn(text())).toEqual(events.all().map(eventView));
  });
});

describe('the beat', () => {
  test('the beat shows a client that the connection works', async () => {
    const client = eventClient(memoryEvents(), { after: 0 });
    const text = reading(client);
    await settled();
    expect([client.beat(), client.beat(), client.beat()]).toEqual([true, true, true]);
    await settled();
    expect(text().split(': alive\n\n')).toHaveLength(4);
  });

  test('the second beat finds a client that reads nothing', async () => {
    const events = memoryEvents();
    const client = eventClient(events, { after: 0 });
    client.stream.read();
    events.add(1000);
    client.offer(events.after(0, 1000));
    expect(client.beat()).toBe(true);
    expect(client.beat()).toBe(false);
  });

  test('the beat keeps a client that reads something in between', async () => {
    const events = memoryEvents();
    const client = eventClient(events, { after: 0 });
    client.stream.read();
    events.add(1000);
    client.offer(events.after(0, 1000));
    for (let round = 0; round < 5; round += 1) {
      expect(client.beat()).toBe(true);
      client.stream.read();
      await settled();
    }
  });
});

describe('the end', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('the end is sent with its reason', async () => {
    const client = eventClient(memoryEvents(), { after: 0 });
    const text = reading(client);
    client.end('the service "ends"');
    await settled();
    expect(text()).toMatch(/event: closed\ndata: {"reason":"the service \\"ends\\""}\n\n$/);
    expect(client.stream.destroyed).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('the end cuts off a client that does not read it', async () => {
    const client = eventClient(memoryEvents(), { after: 0 });
    client.end('slow');
    await settled();
    expect(client.stream.destroyed).toBe(false);
    vi.advanceTimersByTime(5000);
    expect(client.stream.destroyed).toBe(true);
  });

  test('the end works for a client that has disconnected', async () => {
    const client = eventClient(memoryEvents(), { after: 0 });
    client.stream.destroy();
    await settled();
    client.offer([]);
    client.beat();
    client.end('the service ends');
    await settled();
    expect(vi.getTimerCount()).toBe(0);
  });
});

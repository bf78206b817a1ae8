import { setImmediate as soon } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventLine } from '../../src/cli/event-text.ts';
import { follow } from '../../src/cli/follow.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { temporaryStore } from '../support/temporary-store.ts';

let store: Store;
let remove: () => void;
beforeEach(() => {
  ({ store, remove } = temporaryStore());
});
afterEach(() => remove());

it('follow yields existing events and those of another process, without a service, until it is aborted', async () => {
  for (const kind of ['a', 'b', 'c']) store.events.add('three', kind, 'text');
  const abort = new AbortController();
  const kinds: string[] = [];
  const first = store.events.after(0, 1)[0]!.id;
  for await (const { kind } of follow(store.events, { after: first, slice: undefined, signal: abort.signal })) {
    kinds.push(kind);
    if (kind === 'c') {
      await soon();
      const elsewhere = openStore(store.path);
      elsewhere.events.add('other', 'd', 'text');
      elsewhere.close();
    }
    if (kind === 'd') abort.abort();
  }
  expect(kinds).toEqual(['b', 'c', 'd']);
});

it('follow yields only the events of the given slice', async () => {
  store.events.add('other', 'a', 'text');
  store.events.add('three', 'b', 'text');
  const abort = new AbortController();
  const kinds: string[] = [];
  for await (const { kind } of follow(store.events, { after: 0, slice: 'three', signal: abort.signal })) {
    kinds.push(kind);
    abort.abort();
  }
  expect(kinds).toEqual(['b']);
});

it('eventLine formats an event as one line, whatever its message contains', () => {
  const event = { id: 1, at: 0, slice: null, kind: 'x', message: 'two\nlines \u001b[2J', detail: null };
  expect(eventLine(event)).toBe('1970-01-01T00:00:00.000Z  -         x                     two\\u000alines \\u001b[2J');
});

it('lastIdBefore excludes events at the given instant', () => {
  store.events.add('three', 'a', 'text');
  const { id, at } = store.events.list()[0]!;
  expect(store.events.lastIdBefore(at)).toBe(0);
  expect(store.events.lastIdBefore(at + 1)).toBe(id);
});

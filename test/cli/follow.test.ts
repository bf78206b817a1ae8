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

it('follows what is there and what another process adds, without a service, until it is asked to end', async () => {
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

it('follows one slice', async () => {
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

it('an event is one line, whatever it says', () => {
  const event = { id: 1, at: 0, slice: null, kind: 'x', message: 'two\nlines \u001b[2J', detail: null };
  expect(eventLine(event)).toBe('1970-01-01T00:00:00.000Z  -         x                     two\\u000alines \\u001b[2J');
});

it('events since an instant begin with the first that is not older', () => {
  store.events.add('three', 'a', 'text');
  const { id, at } = store.events.list()[0]!;
  expect(store.events.lastIdBefore(at)).toBe(0);
  expect(store.events.lastIdBefore(at + 1)).toBe(id);
});

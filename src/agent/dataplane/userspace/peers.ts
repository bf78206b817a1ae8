/** The other ends that a forward serves at the moment, each with what is open for it. */
import type { Remote } from '../endpoints.ts';

/** How long one that sends and gets nothing is kept. */
export const idleMs = 60_000;
/** The most of one forward. A further one takes the place of the one that has been idle longest. */
export const maxPeers = 1024;

/** What is open for one other end. */
export interface Peer {
  send(datagram: Buffer): void;
  close(): void;
}

export interface PeerEvents {
  /** It got an answer. */
  used(): void;
  /** It failed: the next datagram opens it again. */
  failed(): void;
}

export interface Peers {
  /** Sends on a datagram of this other end; it is lost where that fails. Throws as `open`. */
  take(datagram: Buffer, from: Remote): void;
  close(): void;
}

interface Entry {
  /** Undefined while it is opened. */
  peer?: Peer;
  readonly timer: NodeJS.Timeout;
}

/** `open`: for one that is new; it may call the events at once. */
export function createPeers(open: (from: Remote, events: PeerEvents) => Peer): Peers {
  /** The one that has been idle longest comes first. */
  const entries = new Map<string, Entry>();

  function drop(key: string, entry: Entry): void {
    if (entries.get(key) !== entry) return;
    entries.delete(key);
    clearTimeout(entry.timer);
    entry.peer?.close();
  }

  function use(key: string, entry: Entry): void {
    if (entries.get(key) !== entry) return;
    entry.timer.refresh();
    entries.delete(key);
    entries.set(key, entry);
  }

  /** Undefined if it failed at once. */
  function add(key: string, from: Remote): Entry | undefined {
    for (const [oldest, entry] of entries) {
      if (entries.size < maxPeers) break;
      drop(oldest, entry);
    }
    const events = { used: () => use(key, entry), failed: () => drop(key, entry) };
    const entry: Entry = { timer: setTimeout(() => drop(key, entry), idleMs).unref() };
    entries.set(key, entry);
    try {
      entry.peer = open(from, events);
    } catch (error) {
      drop(key, entry);
      throw error;
    }
    if (entries.get(key) === entry) return entry;
    entry.peer.close();
    return undefined;
  }

  return {
    take(datagram, from) {
      const key = `${from.address}:${from.port}`;
      const known = entries.get(key);
      if (known !== undefined) use(key, known);
      (known ?? add(key, from))?.peer?.send(datagram);
    },
    close() {
      for (const [key, entry] of entries) drop(key, entry);
    },
  };
}

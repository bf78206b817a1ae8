/** What a server said before the login, which tells an SSH server from others, and why there was no log-in. */
import type { Socket } from 'node:net';

export interface Greeting {
  /** The server's name and version, as in `SSH-2.0-OpenSSH_9.2`; undefined while it has not said it. */
  ident(): string | undefined;
  /** What came before that, or instead: the first line of it. */
  text(): string;
  /** Whether the server broke off because it has too much to do. */
  isBusy(): boolean;
  /** Takes a line of ssh2's own log, which alone says what the server offers. */
  note(line: string): void;
  /** What both sides offer of the kind that they have nothing in common of: `key exchange algorithm`. */
  offers(kind: string): { ours: string; theirs: string } | undefined;
}

const maxBytes = 4096;
/** OpenSSH's words where it drops a connection (MaxStartups, PerSourcePenalties). */
const busy = /Exceeded MaxStartups|Not allowed at this time/;

/** Listens along; to be called when whoever reads the socket has begun to. */
export function listenToGreeting(socket: Socket): Greeting {
  let text = '';
  const offered = new Map<string, string>();
  const listen = (chunk: Buffer): void => {
    text += chunk.toString('latin1', 0, maxBytes - text.length);
    if (text.length >= maxBytes || ident() !== undefined) socket.off('data', listen);
  };
  const ident = () => /^(SSH-[\x20-\x7e]{1,250})\r?\n/m.exec(text)?.[1];
  socket.on('data', listen);
  return {
    ident,
    text: () => (/^[\x20-\x7e]{1,200}/m.exec(text)?.[0] ?? '').trim(),
    isBusy: () => ident() === undefined && (text === '' || busy.test(text)),
    note: (line) => {
      const [, whose, kind, names] = /^Handshake: \((local|remote)\) ([^:]+): (.*)$/.exec(line) ?? [];
      if (names !== undefined) offered.set(`${whose} ${kind!.toLowerCase()}`, names.replaceAll(',', ', '));
    },
    offers: (kind) => {
      const name = kind.toLowerCase().replace('key exchange algorithm', 'kex method');
      const [ours, theirs] = [offered.get(`local ${name}`), offered.get(`remote ${name}`)];
      return ours === undefined || theirs === undefined ? undefined : { ours, theirs };
    },
  };
}

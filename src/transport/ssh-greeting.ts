/** What a server says before the login: it tells an SSH server from others, and why a log-in failed. */
import type { Duplex } from 'node:stream';

export interface Greeting {
  /** The server's name and version, as in `SSH-2.0-OpenSSH_9.2`; undefined until the server has sent it. */
  ident(): string | undefined;
  /** The first line of any text that came before that, or instead. */
  text(): string;
  /** Whether the server closed the connection because it has too much to do. */
  isBusy(): boolean;
  /** Takes a line of ssh2's own log, the only source of what the server offers. */
  note(line: string): void;
  /** Returns what both sides offer of the kind in which they have nothing in common: `key exchange algorithm`. */
  offers(kind: string): { ours: string; theirs: string } | undefined;
}

const maxBytes = 4096;
/** OpenSSH's words when it drops a connection (MaxStartups, PerSourcePenalties). */
const busy = /Exceeded MaxStartups|Not allowed at this time/;

/** Listens, too, to the socket's data; call it after the socket's reader has attached. */
export function listenToGreeting(socket: Duplex): Greeting {
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

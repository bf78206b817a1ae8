/**
 * What to log in with, as an OpenSSH user expects: the given key, otherwise the ssh agent and then the usual key files.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { AnyAuthMethod } from 'ssh2';
import { readBounded } from '../model/bounded-file.ts';
import { messageOf } from '../model/errors.ts';
import { parseKeyFile } from './key-file.ts';
import type { Reason } from './ssh-errors.ts';

const usualKeys = ['~/.ssh/id_ed25519', '~/.ssh/id_ecdsa', '~/.ssh/id_rsa'];

/** The keys of one login, in the order in which they are tried. */
export interface KeyRing {
  readonly isEmpty: boolean;
  next(): AnyAuthMethod | undefined;
  /** Takes the kinds of authentication that the server accepts; they are not known before the first try. */
  accepted(methods: readonly string[] | null | undefined): void;
  /** Notes something that went wrong with one key, or at the end. */
  note(complaint: string): void;
  /** Explains why no key was accepted: what was tried, and what could not be. */
  explain(): Reason;
}

interface KeyFile {
  readonly path: string;
  readonly key?: Buffer;
  /** Why there is no key, as in `FILE is missing`. */
  readonly fault?: string;
  readonly hint?: string;
}

/**
 * Reads the keys. A given `keyPath` is the only one; if it is encrypted, the ssh agent (SSH_AUTH_SOCK) is tried too,
 * which may hold it.
 */
export async function keyRing(user: string, keyPath: string | undefined): Promise<KeyRing> {
  const files = await Promise.all((keyPath === undefined ? usualKeys : [keyPath]).map(readKey));
  const usable = files.flatMap(({ path, key }) =>
    key === undefined ? [] : [{ name: path, method: { type: 'publickey' as const, username: user, key } }],
  );
  const socket = process.env.SSH_AUTH_SOCK;
  const needsAgent = keyPath === undefined || files.some(({ fault }) => fault === 'is encrypted');
  const agent =
    socket && needsAgent
      ? [{ name: 'the ssh agent', method: { type: 'agent' as const, username: user, agent: socket } }]
      : [];
  const methods = [...agent, ...usable];
  const waiting = [...methods];
  // A usual key that does not exist is no fault.
  const faults = files.filter(({ fault }) => fault !== undefined && (keyPath !== undefined || fault !== 'is missing'));
  const notes = faults.map(({ path, fault }) => `${path} ${fault}`);
  let others: readonly string[] = [];
  return {
    isEmpty: methods.length === 0,
    next: () => waiting.shift()?.method,
    accepted: (methods) => {
      others = methods?.includes('publickey') === false ? methods : [];
    },
    note: (complaint) => notes.push(complaint),
    explain: () => {
      const tried = methods.map(({ name }) => name).join(', ');
      const takes = others.length === 0 ? [] : [`the server accepts only ${others.join(' and ')}`];
      const all = [tried === '' ? 'no key to try' : `tried ${tried}`, ...notes, ...takes].join('; ');
      const hint = others.length === 0 ? hintFor(faults, notes) : keysOnly;
      return { reason: `authentication as '${user}' failed: ${all}`, hint };
    },
  };
}

const keysOnly =
  'pl-vnm logs in with keys only, without passwords or questions: let the node accept a key (PubkeyAuthentication, AuthenticationMethods)';

function hintFor(faults: readonly KeyFile[], notes: readonly string[]): string {
  const told = faults.find(({ hint }) => hint !== undefined)?.hint;
  if (told !== undefined) return told;
  if (notes.some((note) => /too many authentication failures/i.test(note))) {
    return "the server allows only a few tries (MaxAuthTries): give the right key ('key' of the node in the slice file)";
  }
  const expired = notes.find((note) => /expired/i.test(note));
  if (expired !== undefined) return "have the node's administrator renew the account";
  const encrypted = faults.find(({ fault }) => fault === 'is encrypted');
  return encrypted === undefined
    ? "give a key that the node accepts ('key' of the node in the slice file), or add yours to authorized_keys there"
    : `add the key to an ssh agent: ssh-add ${encrypted.path}`;
}

const maxKeyBytes = 256 * 1024;

async function readKey(path: string): Promise<KeyFile> {
  let text: string;
  try {
    const file = path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
    text = readBounded(file, { maxBytes: maxKeyBytes }).toString('latin1');
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { path, fault: isMissing ? 'is missing' : `cannot be read (${messageOf(error)})` };
  }
  return { path, ...parseKeyFile(text) };
}

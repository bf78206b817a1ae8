/**
 * What to log in with, as an OpenSSH user expects: the given key, otherwise the ssh agent and then the configured or
 * usual key files.
 */
import { existsSync } from 'node:fs';
import type { AnyAuthMethod } from 'ssh2';
import { readBounded } from '../model/bounded-file.ts';
import { messageOf } from '../model/errors.ts';
import { parseKeyFile, publicPartOf } from './key-file.ts';
import { orderedAgent } from './ssh-agent.ts';
import { expandHome } from './ssh-config.ts';
import type { Reason } from './ssh-errors.ts';
import type { SshServer } from './ssh-types.ts';

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
  /** Whether there is a certificate where `ssh` looks for one. */
  readonly hasCertificate: boolean;
  /** As SSH sends it; absent where neither the file nor the one with `.pub` has it. */
  readonly publicKey?: Buffer;
  /** Why there is no key, as in `FILE is missing`. */
  readonly fault?: string;
  readonly hint?: string;
}

/** What an ssh agent may be able to sign for. */
const agentHelps: readonly (string | undefined)[] = ['is encrypted', 'is a public key'];

/**
 * Reads the keys. A key that the slice file names is the only one; if it cannot be used without an ssh agent, that is
 * tried, too. An agent first offers the keys that the files name, since a server allows only a few tries.
 */
export async function keyRing({ user, keys, what }: Pick<SshServer, 'user' | 'keys' | 'what'>): Promise<KeyRing> {
  const { files: named, isGiven = false, onlyFiles = false, certificates = [] } = keys;
  const files = await Promise.all((named ?? usualKeys).map(readKey));
  const usable = files.flatMap(({ path, key }) =>
    key === undefined ? [] : [{ name: path, method: { type: 'publickey' as const, username: user, key } }],
  );
  const socket = keys.agent === undefined ? process.env.SSH_AUTH_SOCK : keys.agent;
  const needsAgent = !isGiven || files.some(({ fault }) => agentHelps.includes(fault));
  const publicKeys = files.flatMap(({ publicKey }) => publicKey ?? []);
  const agent =
    socket && needsAgent
      ? [
          {
            name: 'the ssh agent',
            method: { type: 'agent' as const, username: user, agent: orderedAgent(socket, publicKeys, onlyFiles) },
          },
        ]
      : [];
  const methods = [...agent, ...usable];
  const waiting = [...methods];
  // A usual key that does not exist is no fault.
  const faults = files.filter(({ fault }) => fault !== undefined && (named !== undefined || fault !== 'is missing'));
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
      const hint =
        others.length > 0
          ? keysOnly
          : certificates.length > 0 || files.some(({ hasCertificate }) => hasCertificate)
            ? certificateHint
            : hintFor(faults, notes, what === undefined ? 'node' : 'jump host');
      return { reason: `authentication as '${user}' failed: ${all}`, hint };
    },
  };
}

const openssh = "'ssh: { transport: openssh }' in the slice file";
const keysOnly = `pl-vnm logs in with keys only, without passwords or questions: let the node accept a key (PubkeyAuthentication, AuthenticationMethods), or let the program ssh log in (${openssh})`;
const certificateHint = `there is a certificate for the key, which only the program ssh can use: ${openssh}`;

function hintFor(faults: readonly KeyFile[], notes: readonly string[], what: string): string {
  const told = faults.find(({ hint }) => hint !== undefined)?.hint;
  if (told !== undefined) return told;
  if (notes.some((note) => /too many authentication failures/i.test(note))) {
    return `the server allows only a few tries (MaxAuthTries): give the right key ('key' of the ${what} in the slice file)`;
  }
  const expired = notes.find((note) => /expired/i.test(note));
  if (expired !== undefined) return "have the node's administrator renew the account";
  const encrypted = faults.find(({ fault }) => fault === 'is encrypted');
  return encrypted === undefined
    ? `give a key that the ${what} accepts ('key' of the ${what} in the slice file), or add yours to authorized_keys there`
    : `add the key to an ssh agent: ssh-add ${encrypted.path}`;
}

const maxKeyBytes = 256 * 1024;

async function readKey(path: string): Promise<KeyFile> {
  const file = expandHome(path);
  const text = readText(file);
  const publicText = readText(`${file}.pub`);
  const publicKey = [text, publicText].flatMap((one) => (typeof one === 'string' ? (publicPartOf(one) ?? []) : []))[0];
  const hasCertificate = existsSync(`${file.replace(/\.pub$/, '')}-cert.pub`);
  const known = { path, hasCertificate, ...(publicKey === undefined ? {} : { publicKey }) };
  if (typeof text === 'string') return { ...known, ...parseKeyFile(text) };
  const isMissing = (text as NodeJS.ErrnoException).code === 'ENOENT';
  return { ...known, fault: isMissing ? 'is missing' : `cannot be read (${messageOf(text)})` };
}

/** Returns the text, one character per byte, or why there is none. */
function readText(file: string): unknown {
  try {
    return readBounded(file, { maxBytes: maxKeyBytes }).toString('latin1');
  } catch (error) {
    return error;
  }
}

/**
 * How many packets a UDP socket of this machine dropped because its buffer was full; Linux counts them for each socket.
 */
import { readFile } from 'node:fs/promises';

/** The list of the UDP sockets of this process's network namespace, one per line (proc(5)). */
const table = '/proc/self/net/udp';

/**
 * Returns the drops so far of the socket bound to `address` and `port`; 0 if the system does not count them, or there
 * is no such socket.
 */
export async function readDrops(address: string, port: number): Promise<number> {
  try {
    return dropsIn(await readFile(table, 'latin1'), address, port);
  } catch (error) {
    // Only Linux has this file.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return 0;
  }
}

/** Returns the last column, `drops`, of the line with this `local_address`. */
export function dropsIn(text: string, address: string, port: number): number {
  const local = localAddress(address, port);
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === local) return Number(fields.at(-1));
  }
  return 0;
}

/** Formats the address as a number in this machine's byte order, a colon and the port, in hexadecimal. */
function localAddress(address: string, port: number): string {
  const word = new Uint32Array(Uint8Array.from(address.split('.'), Number).buffer)[0]!;
  return `${hex(word, 8)}:${hex(port, 4)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}

/** Packets that a UDP socket of this machine had no room for, as Linux counts them socket by socket. */
import { readFile } from 'node:fs/promises';

/** Where Linux lists the UDP sockets of this process's network namespace, one a line (proc(5)). */
const table = '/proc/self/net/udp';

/** So far, from the socket bound to `address` and `port`; 0 where the system does not count them, or there is no such socket. */
export async function readDrops(address: string, port: number): Promise<number> {
  try {
    return dropsIn(await readFile(table, 'latin1'), address, port);
  } catch (error) {
    // Only Linux has it.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return 0;
  }
}

/** The column `drops`, the last one, of the line whose `local_address` this is. */
export function dropsIn(text: string, address: string, port: number): number {
  const local = localAddress(address, port);
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === local) return Number(fields.at(-1));
  }
  return 0;
}

/** The address as a number in this machine's byte order, a colon, and the port, in hexadecimal. */
function localAddress(address: string, port: number): string {
  const word = new Uint32Array(Uint8Array.from(address.split('.'), Number).buffer)[0]!;
  return `${hex(word, 8)}:${hex(port, 4)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}

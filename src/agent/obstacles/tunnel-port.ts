/** Finds programs that hold the tunnels' UDP port: no tunnel can use it meanwhile. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Obstacle } from '../../vsys/obstacle.ts';

export async function portObstacles(port: number): Promise<Obstacle[]> {
  const tables = await Promise.all(['udp', 'udp6'].map((name) => readOrNothing(`/proc/net/${name}`)));
  const holders = await holdersOf(new Set(tables.flatMap((text) => inodesOf(text, port))));
  return holders.map(({ pid, name }) => ({
    kind: 'tunnel-port',
    message: `UDP port ${port}, which tunnels need, is held by '${name}' (process ${pid})`,
    hint: 'stop that program, or give it another port',
    blocks: true,
  }));
}

/** Returns the inodes of the sockets on the port, from /proc/net/udp. */
function inodesOf(text: string, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .flatMap((fields) =>
      fields[1]?.endsWith(`:${hex}`) && fields[9] !== undefined && fields[9] !== '0' ? [fields[9]] : [],
    );
}

/** Returns processes only: the kernel's own sockets, such as those of tunnels, belong to none. */
async function holdersOf(inodes: ReadonlySet<string>): Promise<{ pid: number; name: string }[]> {
  if (inodes.size === 0) return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const holders: { pid: number; name: string }[] = [];
  for (const pid of pids) {
    const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
    const links = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')));
    if (!links.some((link) => inodes.has(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? ''))) continue;
    holders.push({ pid: Number(pid), name: (await readOrNothing(`/proc/${pid}/comm`)).trim() });
  }
  return holders;
}

async function readOrNothing(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

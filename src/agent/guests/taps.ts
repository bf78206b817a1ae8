/** The taps of a machine in its router's namespace, and whether its guest answers for the router's addresses. */
import { VnmError } from '../../model/errors.ts';
import type { Machine } from '../../vsys/machine.ts';
import { isTap, tapLines, tapName } from '../dataplane/planner/ports.ts';
import { run } from '../run.ts';

/** Makes the taps that the machine needs, in place of all that there are. Throws VnmError `failed`. */
export async function makeTaps(namespace: string, { ports, mtu }: Machine): Promise<void> {
  await removeTaps(namespace);
  const lines = ports.flatMap((port, index) => tapLines(port, index, mtu));
  if (lines.length > 0) await batch(namespace, lines);
}

export async function removeTaps(namespace: string): Promise<void> {
  const { code, stdout, stderr } = await run('ip', ['-netns', namespace, '-json', '-details', 'link', 'show']);
  if (code !== 0) throw new VnmError('failed', `cannot list the taps in '${namespace}': ${stderr.trim()}`);
  const links = JSON.parse(stdout || '[]') as Parameters<typeof isTap>[0][];
  const lines = links.filter(isTap).map(({ ifname }) => `link del dev ${ifname}`);
  if (lines.length > 0) await batch(namespace, lines);
}

/**
 * Asks the guest for its MAC address on every link that it has not answered on. Returns the links, by number, on which
 * it has answered since it was asked for the first time.
 */
export async function askGuest(namespace: string, { ports }: Machine): Promise<Set<number>> {
  // `use` makes the kernel ask, as if there was something to send.
  const asking = ports.map(({ address }, index) => `neighbour replace ${address} dev ${tapName(index)} nud none use`);
  const known = await answering(namespace);
  const isSilent = (index: number) => !known.has(index);
  const silent = asking.filter((_, index) => isSilent(index));
  if (silent.length > 0) await batch(namespace, silent);
  return known;
}

interface NeighbourJson {
  readonly dst: string;
  readonly dev: string;
  readonly lladdr?: string;
}

async function answering(namespace: string): Promise<Set<number>> {
  const { code, stdout } = await run('ip', ['-netns', namespace, '-json', 'neighbour', 'show']);
  if (code !== 0) return new Set();
  const found = JSON.parse(stdout || '[]') as NeighbourJson[];
  return new Set(
    found
      .filter(({ dev, lladdr }) => lladdr !== undefined && /^vm\d+$/.test(dev))
      .map(({ dev }) => Number(dev.slice(2))),
  );
}

async function batch(namespace: string, lines: readonly string[]): Promise<void> {
  const { code, stderr } = await run('ip', ['-netns', namespace, '-batch', '-'], `${lines.join('\n')}\n`);
  if (code !== 0)
    throw new VnmError('failed', `cannot prepare the links of a machine in '${namespace}': ${stderr.trim()}`);
}

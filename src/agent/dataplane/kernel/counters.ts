/** What passed the slice's interfaces, as the kernel counts it in /proc/net/dev. */
import { readFile } from 'node:fs/promises';
import { VnmError } from '../../../model/errors.ts';
import type { InterfaceCounters, NodeCounters } from '../../../vsys/messages.ts';
import type { Policy } from '../../../vsys/policy.ts';
import { isRouterNamespace } from '../../../vsys/presence.ts';
import { run } from '../../run.ts';
import { controlDevice } from '../planner/control.ts';
import { gatedBy } from '../planner/gate.ts';
import { switchDevices } from '../planner/switch-devices.ts';
import { kernelWords } from './ip.ts';
import { listAllNamespaces } from './presence.ts';

const file = '/proc/net/dev';

/** The kernel does not count why it drops: all drops at interfaces have one reason. */
export async function readCounters(policy: Policy): Promise<NodeCounters> {
  const own = parse(await readFile(file, 'utf8')).filter(({ name }) => name.startsWith(policy.interfacePrefix));
  const namespaces = (await listAllNamespaces()).filter((name) => isRouterNamespace(policy, name)).sort();
  const inside = await Promise.all(
    namespaces.map(async (namespace) => parse(await readIn(namespace)).map((counters) => ({ namespace, ...counters }))),
  );
  // What passes a gate also passes another interface.
  const control = controlDevice(policy.interfacePrefix, '').name;
  const isCounted = (name: string) =>
    name !== 'lo' && name !== control && gatedBy(name) === undefined && !switchDevices.includes(name);
  const all = [...own, ...inside.flat()].filter(({ name }) => isCounted(name));
  const dropped = all.reduce((sum, counters) => sum + counters.dropped, 0);
  const interfaces = all.map(({ dropped: _, ...counters }) => counters);
  return { interfaces, drops: dropped === 0 ? [] : [{ reason: 'interface', packets: dropped }] };
}

async function readIn(namespace: string): Promise<string> {
  const { code, stdout, stderr } = await run('nsenter', [`--net=/run/netns/${namespace}`, '--', 'cat', file]);
  if (code === 0) return stdout;
  throw new VnmError('failed', `cannot read ${file} in namespace '${namespace}': ${kernelWords(stderr)}`);
}

/** Columns after the name: eight of what was received, eight of what was sent; bytes, packets, errors, drops first. */
function parse(text: string): (InterfaceCounters & { readonly dropped: number })[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*([^\s:]+):\s*(.*)$/.exec(line);
    if (match === null) return [];
    const values = match[2]!.trim().split(/\s+/).map(Number);
    const [receivedBytes, receivedPackets, , receivedDrops] = values as [number, number, number, number];
    const [sentBytes, sentPackets, , sentDrops] = values.slice(8) as [number, number, number, number];
    const dropped = receivedDrops + sentDrops;
    return [{ name: match[1]!, receivedPackets, receivedBytes, sentPackets, sentBytes, dropped }];
  });
}

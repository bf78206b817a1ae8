/** What this node's kernel can do, tried out in a namespace of its own. */
import { readFile } from 'node:fs/promises';
import type { Feature } from '../../../vsys/messages.ts';
import type { Policy } from '../../../vsys/policy.ts';
import { messageOf } from '../../../model/errors.ts';
import { batchLine, kernelWords, ownStack, runBatch } from './ip.ts';
import { probeNamespace } from './read-state.ts';
import { run } from './run.ts';

/** Lines of `ip` by the feature they try; each builds on those before. */
const trials = [
  ['vxlan', 'link add vx type vxlan id 1 dstport 4789 remote 192.0.2.1 nolearning'],
  ['nexthop-groups', 'nexthop add id 1 dev vx'],
  ['nexthop-groups', 'nexthop add id 2 group 1'],
  ['resilient-groups', 'nexthop add id 3 group 1 type resilient buckets 1 idle_timer 0 unbalanced_timer 0'],
  ['ifb-gate', 'link add gate type ifb'],
] as const;

export async function probeFeatures(policy: Policy): Promise<Feature[]> {
  const isRoot = process.getuid?.() === 0;
  return [
    isRoot ? { name: 'root', available: true } : { name: 'root', available: false, detail: 'the agent does not run as root' },
    ...(await probeNetwork(probeNamespace(policy))),
    await probeCompatMode(),
    await probeReversePath(),
    await probeRealtime(),
  ];
}

async function probeNetwork(namespace: string): Promise<Feature[]> {
  // One that is left from an agent that was killed here is in the way.
  await runBatch(ownStack, [batchLine(['netns', 'del', namespace])]);
  const made = await runBatch(ownStack, [batchLine(['netns', 'add', namespace])]);
  try {
    const lines = ['link set lo up\n', ...trials.map(([, line]) => `${line}\n`)];
    // A nexthop needs an interface that is up.
    lines.splice(2, 0, 'link set vx up\n');
    ...
  } finally {
    await runBatch(ownStack, [batchLine(['netns', 'del', namespace])]);
  }
}

import { VnmError } from '../../../model/errors.ts';
import { type ControlJson, listControlWords, parseControl } from '../planner/control.ts';
import { parseGate, type QdiscJson } from '../planner/gate.ts';
import type { Gate, Place, Stack } from '../planner/state.ts';
import { showBatch } from './ip.ts';
import { nftIn, nftWords } from './read-filter.ts';

export type ReadControl = Pick<Stack, 'control' | 'controlCounts'> & { readonly gate?: Gate };

/** Reads what becomes of OSPF packets in a namespace that has the device for that. Throws VnmError `failed`. */
export async function readControl({ namespace, name }: Place): Promise<ReadControl> {
  const [listed, [qdiscs]] = await Promise.all([
    nftIn(namespace, listControlWords),
    showBatch('tc', namespace, [['qdisc', 'show', 'dev', name]], ['-statistics']) as Promise<[QdiscJson[]]>,
  ]);
  const { gate } = parseGate(qdiscs);
  const bucket = gate === undefined ? {} : { gate: { ...gate, paced: true as const } };
  if (listed.code === 0) return { ...parseControl(JSON.parse(listed.stdout) as ControlJson, qdiscs), ...bucket };
  if (listed.stderr.includes('No such file or directory')) return bucket;
  throw new VnmError('failed', `nft ${listControlWords.join(' ')}: ${nftWords(listed.stderr)}`);
}

import { VnmError } from '../../../model/errors.ts';
import type { Policy } from '../../../vsys/policy.ts';
import { run } from '../../run.ts';
import { filterScript, listWords, noFilter, parseFilter } from '../planner/filter.ts';
import { ownStack, type TunnelFilter } from '../planner/state.ts';

/** Throws VnmError `failed`. */
export async function readFilter(policy: Policy): Promise<TunnelFilter> {
  const words = listWords(policy);
  const { code, stdout, stderr } = await run('nft', words);
  if (code === 0) return parseFilter(policy, JSON.parse(stdout));
  if (stderr.includes('No such file or directory')) return noFilter;
  throw new VnmError('failed', `nft ${words.join(' ')}: ${nftWords(stderr)}`);
}

/** Runs the lines as one transaction. Throws VnmError `failed`; then nothing was done. */
export async function runNft(namespace: string, lines: readonly string[]): Promise<void> {
  const { code, stderr } = await nftIn(namespace, ['-f', '-'], filterScript(lines));
  if (code !== 0) throw new VnmError('failed', `nft: ${nftWords(stderr)}`);
}

/** Runs `nft` in a stack. */
export function nftIn(namespace: string, words: readonly string[], script = ''): ReturnType<typeof run> {
  if (namespace === ownStack) return run('nft', words, script);
  return run('nsenter', [`--net=/run/netns/${namespace}`, '--', 'nft', ...words], script);
}

/** Returns the reason without the place in the script. */
export function nftWords(stderr: string): string {
  return /Error: (.*)/.exec(stderr)?.[1] ?? (stderr.trim().split('\n')[0] || 'no reason given');
}

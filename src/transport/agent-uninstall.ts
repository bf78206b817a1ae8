/** Removes a slice's agent from a node, as the node's administrator. */
import { VnmError } from '../model/errors.ts';
import type { Policy } from '../vsys/policy.ts';
import { rulePath } from '../vsys/sudo-rule.ts';
import { runDirectory, surveyAsAdmin } from './admin-survey.ts';
import { attach, endAgent } from './agent-attach.ts';
import { agentBundle } from './agent-bundle.ts';
import type { InstallTarget } from './agent-install.ts';
import { requireRoot } from './agent-install.ts';
import { asRoot } from './delivery.ts';
import { attachCommand } from './installed-files.ts';
import { type NodeSurvey, surveyNode } from './node-survey.ts';
import { listSlices, refuseInstalled } from './slices-there.ts';
import { nameOf } from './ssh-errors.ts';
import { connectSsh, type SshSession } from './ssh-session.ts';
import type { SshOptions } from './ssh-types.ts';

/**
 * Constant. Removes the rule first, so that no one attaches any more, then the policy, without which no agent starts;
 * then stops an agent that runs all the same: the process that holds its lock. Files that all slices share go with the
 * last slice.
 */
const removeScript = `
lib=$1 policies=$2 run=$3 slice=$4 command=$5 rule=$6
rm -f "$rule" "$command" "$policies/$slice.json" || exit 1
for file in /proc/[0-9]*/fd/*; do
  [ "$file" -ef "$run/$slice.lock" ] || continue
  process=\${file%/fd/*}
  kill "\${process#/proc/}" 2>/dev/null
  for _ in 1 2 3 4 5; do
    [ -e "$file" ] || break
    sleep 1
  done
done
rm -f "$run/$slice.sock" "$run/$slice.lock" "$run/$slice.pending" "$run/$slice.log" "$run/$slice.log.old" || exit 1
# A slice with nothing installed has an agent and no policy.
needed=no
for file in "$policies"/*.json "$run"/*.sock; do
  if [ -e "$file" ]; then needed=yes; fi
done
if [ $needed = no ]; then
  rm -f "$lib"/agent-*.mjs "$lib/node" "$run/features.json" || exit 1
  rmdir "$policies" "\${policies%/*}" "$lib" "$run" 2>/dev/null
fi
exit 0
`;

/**
 * Returns whether there was anything to remove. `fallback`: the slice's policy, where the node has none. Throws
 * VnmError `conflict` while something of the slice is installed on the node, or armed; `unreachable`, `unsupported`
 * (the login cannot become root), `failed`.
 */
export async function uninstallAgent(target: InstallTarget, options: SshOptions, fallback?: Policy): Promise<boolean> {
  const { digest } = await agentBundle();
  const session = await connectSsh(target, options);
  try {
    const { slice, login } = target;
    const survey = await surveyNode(session, slice, digest, options.signal);
    requireRoot(session, survey);
    const found = await surveyAsAdmin(session, survey, slice, login, options.signal);
    const policy = found.policies.find((candidate) => candidate.slice === slice);
    const there = (await listSlices(session, survey, options, fallback)).find((one) => one.slice === slice);
    if (there !== undefined) refuseInstalled(nameOf(session.target), there);
    if (found.command !== undefined && found.hasSocket) await endRunning(session, survey, slice, options.signal);
    await removeAgent(session, survey, slice, options);
    return policy !== undefined || found.command !== undefined || found.rule !== undefined;
  } finally {
    session.close();
  }
}

/**
 * Removes everything that a slice's agent has there, and stops it; files that all slices share go with the last slice.
 * Throws VnmError `failed`.
 */
export async function removeAgent(
  session: SshSession,
  survey: NodeSurvey,
  slice: string,
  options: Pick<SshOptions, 'signal'>,
): Promise<void> {
  const words = [survey.lib, survey.policyDirectory, runDirectory(survey), slice];
  const files = [attachCommand(survey.lib, slice), rulePath(slice)];
  await runScript(session, survey, removeScript, [...words, ...files], options);
}

/** Asks the agent first, because it refuses while something is armed. */
async function endRunning(
  session: SshSession,
  survey: NodeSurvey,
  slice: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const command = `${asRoot(survey)}${attachCommand(survey.lib, slice)}`;
  const { channel } = await attach(session, command, signal);
  try {
    await endAgent(session, channel, signal);
  } finally {
    channel.close();
  }
}

/** The words must be plain. Returns what the script printed. */
async function runScript(
  session: SshSession,
  survey: NodeSurvey,
  script: string,
  words: readonly string[],
  { signal }: { signal?: AbortSignal | undefined },
): Promise<string> {
  const command = `${asRoot(survey)}sh -s -- ${words.join(' ')}`;
  const { code, stdout, stderr } = await session.exec(command, { stdin: Buffer.from(script), signal });
  if (code === 0) return stdout.toString();
  throw new VnmError(
    'failed',
    `the agent could not be removed from ${nameOf(session.target)}: ${stderr.trim() || `exit code ${code}`}`,
  );
}

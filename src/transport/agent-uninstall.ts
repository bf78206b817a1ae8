/** Takes a slice's agent off a node, as the node's administrator. */
import { VnmError } from '../model/errors.ts';
import type { Policy } from '../vsys/policy.ts';
import { runDirectory, surveyAsAdmin } from './admin-survey.ts';
import { agentBundle } from './agent-bundle.ts';
import { attach, endAgent } from './agent-connection.ts';
import type { InstallTarget } from './agent-install.ts';
import { requireRoot } from './agent-install.ts';
import { asRoot } from './delivery.ts';
import { attachCommand, rulePath } from './installed-files.ts';
import { type NodeSurvey, surveyNode } from './node-survey.ts';
import { nameOf } from './ssh-errors.ts';
import { connectSsh, type SshOptions, type SshSession } from './ssh-session.ts';

/** Constant. Prints what bears the slice's mark. */
const leftScript = `
interfaces=$1 namespaces=$2
PATH=$PATH:/usr/sbin:/sbin
ip -o link show | while read -r _ name _; do
  case $name in "$interfaces"*) name=\${name%:}; echo "interface \${name%@*}";; esac
done
for file in /run/netns/"$namespaces"*; do
  if [ -e "$file" ]; then echo "namespace \${file##*/}"; fi
done
`;

/**
 * Constant. First the rule goes, so that nobody attaches any more, then the policy, without which no agent starts; then an agent that
 * is there all the same is ended: whoever has its lock. What all slices share goes with the last one.
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
rm -f "$run/$slice.sock" "$run/$slice.lock" "$run/$slice.log" "$run/$slice.log.old" || exit 1
set -- "$policies"/*.json
if [ ! -e "$1" ]; then
  rm -f "$lib"/agent-*.mjs "$lib/node" || exit 1
  rmdir "$policies" "\${policies%/*}" "$lib" "$run" 2>/dev/null
fi
exit 0
`;

const timeoutMs = 30_000;

/**
 * Answers whether there was anything to remove. Throws VnmError `conflict` while something of the slice is installed on the node, or
 * armed; `unreachable`, `unsupported` (the login cannot become root), `failed`.
 */
export async function uninstallAgent(target: InstallTarget, options: SshOptions): Promise<boolean> {
  const { digest } = await agentBundle();
  const session = await connectSsh(target, options);
  try {
    const { slice, login } = target;
    const limits = { timeoutMs, signal: options.signal };
    const survey = await surveyNode(session, slice, digest, limits);
    requireRoot(session, survey);
    const found = await surveyAsAdmin(session, survey, slice, login, limits);
    const policy = found.policies.find((candidate) => candidate.slice === slice);
    if (policy !== undefined) await refuseLeft(session, survey, policy, options.signal);
    if (found.command !== undefined && found.hasSocket) await endRunning(session, survey, slice, options.signal);
    const words = [survey.lib, survey.policyDirectory, runDirectory(survey), slice];
    await runScript(
      session,
      survey,
      removeScript,
      [...words, attachCommand(survey.lib, slice), rulePath(slice)],
      options,
    );
    return policy !== undefined || found.command !== undefined || found.rule !== undefined;
  } finally {
    session.close();
  }
}

async function refuseLeft(
  session: SshSession,
  survey: NodeSurvey,
  { slice, interfacePrefix, namespacePrefix }: Policy,
  signal: AbortSignal | undefined,
): Promise<void> {
  const left = (await runScript(session, survey, leftScript, [interfacePrefix, namespacePrefix], { signal }))
    .trim()
    .split('\n')
    .filter(Boolean);
  if (left.length === 0) return;
  const shown = [...left.slice(0, 3), ...(left.length > 3 ? [`and ${left.length - 3} more`] : [])].join(', ');
  throw new VnmError('conflict', `${nameOf(session.target)} still has of slice '${slice}': ${shown}`, {
    hint: `pl-vnm uninstall ${slice} takes it down`,
  });
}

/** Asked first, since an agent refuses while something is armed. */
async function endRunning(
  session: SshSession,
  survey: NodeSurvey,
  slice: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const command = `${asRoot(survey)}${attachCommand(survey.lib, slice)}`;
  const { channel } = await attach(session, command, { timeoutMs, signal });
  try {
    await endAgent(channel, signal);
  } finally {
    channel.close();
  }
}

/** The words must be plain. Answers what it printed. */
async function runScript(
  session: SshSession,
  survey: NodeSurvey,
  script: string,
  words: readonly string[],
  { signal }: { signal?: AbortSignal | undefined },
): Promise<string> {
  const command = `${asRoot(survey)}sh -s -- ${words.join(' ')}`;
  const { code, stdout, stderr } = await session.exec(command, { stdin: Buffer.from(script), timeoutMs, signal });
  if (code === 0) return stdout.toString();
  throw new VnmError(
    'failed',
    `the agent could not be taken off ${nameOf(session.target)}: ${stderr.trim() || `exit code ${code}`}`,
  );
}

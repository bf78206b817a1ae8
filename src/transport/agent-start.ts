/** Starts the agent by a shell, where that is enough: `attach` needs a Node.js of its own for it. */
import { cleanStart, underLock } from '../vsys/clean-start.ts';
import { encodePolicy, type Policy } from '../vsys/policy.ts';
import { runDirectory } from './admin-survey.ts';
import type { NodeSurvey } from './node-survey.ts';
import type { SshSession } from './ssh-session.ts';

/**
 * Constant, given to `sh` as its standard input. Arguments: directory of the sockets, name of the slice, policy, and
 * the words of the agent's program. Ends when the agent has a socket or has ended, at the latest after ten seconds.
 * Files that the login has left open would stay open in the agent: then it starts nothing, since only `attach` closes
 * them.
 */
const script = `
fd=3
while [ $fd -lt 64 ]; do
  if [ -e /proc/$$/fd/$fd ]; then exit 3; fi
  fd=$((fd + 1))
done
run=$1 slice=$2 policy=$3
shift 3
mkdir -p "$run" && chmod 700 "$run" && umask 077 || exit
setsid sh -c '${cleanStart}' sh ${underLock('"$run/$slice.lock"').join(' ')} \
  "$@" daemon --slice "$slice" --policy "$policy" </dev/null >>"$run/$slice.log" 2>&1 &
pause=0 seconds=0.1
while [ $pause -lt 36 ] && [ ! -S "$run/$slice.sock" ] && kill -0 $! 2>/dev/null; do
  sleep $seconds || sleep 1
  pause=$((pause + 1))
  # On a busy node it takes long, and each pause is a process.
  if [ $pause -ge 4 ]; then seconds=0.3; fi
done
`;

/**
 * Tries to start the slice's agent on a node whose login is root; whoever needs to know whether it runs must try to
 * reach it. `program`: its words. Throws as `SshSession.exec`.
 */
export async function startAgent(
  session: SshSession,
  survey: Pick<NodeSurvey, 'directory'>,
  { slice, program }: { slice: string; program: readonly string[] },
  { policy, signal }: { policy: Policy; signal?: AbortSignal | undefined },
): Promise<void> {
  const words = [runDirectory(survey), slice, encodePolicy(policy), ...program];
  await session.exec(`sh -s -- ${words.join(' ')}`, {
    stdin: Buffer.from(script),
    what: 'the start of the agent',
    timeoutMs: session.limits.startMs,
    signal,
  });
}

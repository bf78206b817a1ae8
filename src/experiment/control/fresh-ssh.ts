import { sleep } from '../../clock/sleep.ts';
import { recordOf } from '../../controller/migration/record.ts';
import type { Redirect, Run } from '../../controller/migration/types.ts';
import { placesOf } from '../../controller/nodes/places.ts';
import type { RedirectionRecord } from '../../store/migrations.ts';
import { connectSsh } from '../../transport/ssh-session.ts';
import { readTimed, type ShellRedirection, shellRedirections, timed } from './commands.ts';

/**
 * Remote scheduling as the paper had it: at each gateway's instant the controller opens an SSH session and runs the
 * commands of the redirection there.
 */
export const redirectByFreshSsh: Redirect = async (run, fresh, decision, clocks) => {
  const redirections = await shellRedirections(run, fresh, decision);
  const startAt = run.agents.clock.wallMs();
  const outcomes = await Promise.allSettled(
    redirections.map(async (redirection): Promise<RedirectionRecord> => {
      const { gateway, node, offsetMs } = redirection;
      if (offsetMs > 0) await sleep(offsetMs);
      return recordOf(gateway, startAt + offsetMs, await inSession(run, redirection), clocks.get(node)!);
    }),
  );
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
};

async function inSession({ context, slice }: Run, { node, command }: ShellRedirection) {
  const [place] = placesOf(context, slice, [node]);
  const session = await connectSsh(place!.target, { acceptNewHostKeys: context.acceptNewHostKeys });
  try {
    const { stdout, stderr } = await session.exec(timed(command), { what: 'the redirection' });
    return readTimed(node, stdout.toString('utf8'), stderr);
  } finally {
    session.close();
  }
}

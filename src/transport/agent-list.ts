/** Lists the slices on a node, as its root sees them, and forgets one that has nothing there. */
import { VnmError } from '../model/errors.ts';
import type { Policy } from '../vsys/policy.ts';
import { agentBundle } from './agent-bundle.ts';
import { requireRoot } from './agent-install.ts';
import { removeAgent } from './agent-uninstall.ts';
import { type NodeSurvey, surveyNode } from './node-survey.ts';
import { type ListedSlice, listSlices, refuseInstalled } from './slices-there.ts';
import { nameOf } from './ssh-errors.ts';
import { connectSsh, type SshSession } from './ssh-session.ts';
import type { SshOptions, SshTarget } from './ssh-types.ts';

/** Throws VnmError `unreachable`, `unsupported` (the login cannot become root), `failed`. */
export async function listAgents(target: SshTarget, options: SshOptions): Promise<ListedSlice[]> {
  return asAdministrator(target, options, (session, survey) => listSlices(session, survey, options));
}

/**
 * Removes the policy of a slice, and stops its agent. Returns whether there was any. Throws VnmError `conflict` where
 * something of the slice is installed, or an administrator installed its agent; and as `listAgents`. `fallback`: its
 * policy, where the node has none. `checkOnly`: removes nothing.
 */
export async function forgetAgent(
  target: SshTarget,
  options: SshOptions,
  slice: string,
  { fallback, checkOnly = false }: { fallback?: Policy | undefined; checkOnly?: boolean } = {},
): Promise<boolean> {
  return asAdministrator(target, options, async (session, survey) => {
    const found = (await listSlices(session, survey, options, fallback)).find((one) => one.slice === slice);
    if (found === undefined) {
      // Files that all slices share may be left over.
      if (!checkOnly) await removeAgent(session, survey, slice, options);
      return false;
    }
    const place = nameOf(session.target);
    refuseInstalled(place, found);
    if (found.by === 'administrator') {
      const login = found.login === undefined ? '' : ` for login '${found.login}'`;
      throw new VnmError('conflict', `an administrator installed the agent of slice '${slice}' on ${place}${login}`, {
        hint: 'have the administrator run: pl-vnm agent uninstall SLICE.yaml',
      });
    }
    if (!checkOnly) await removeAgent(session, survey, slice, options);
    return true;
  });
}

async function asAdministrator<T>(
  target: SshTarget,
  options: SshOptions,
  body: (session: SshSession, survey: NodeSurvey) => Promise<T>,
): Promise<T> {
  const { digest } = await agentBundle();
  const session = await connectSsh(target, options);
  try {
    // Any slice name is fine: the paths do not depend on it.
    const survey = await surveyNode(session, 'pl-vnm', digest, options.signal);
    requireRoot(session, survey);
    return await body(session, survey);
  } finally {
    session.close();
  }
}

/** Installs the agent on a shared node for one slice, as the node's administrator: all of it, or nothing. */
import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { messageOf, VnmError } from '../model/errors.ts';
import type { Policy } from '../vsys/policy.ts';
import { type AdminSurvey, surveyAsAdmin } from './admin-survey.ts';
import { attach, endAgent } from './agent-attach.ts';
import { type AgentBundle, agentBundle } from './agent-bundle.ts';
import {
  agentFileName,
  agentParcel,
  asRoot,
  checkRuntime,
  type Parcel,
  plain,
  runtimeParcel,
  send,
} from './delivery.ts';
import { placeFiles } from './install-script.ts';
import { attachCommand, attachScript, ruleText } from './installed-files.ts';
import { type NodeSurvey, surveyNode } from './node-survey.ts';
import { listSlices } from './slices-there.ts';
import { nameOf } from './ssh-errors.ts';
import { connectSsh, type SshSession } from './ssh-session.ts';
import type { SshOptions, SshTarget } from './ssh-types.ts';

export interface InstallTarget extends SshTarget {
  readonly slice: string;
  /** The slice's login on the node. Must have passed `loginPattern`. */
  readonly login: string;
}

export interface InstalledAgent {
  readonly node: string;
  readonly login: string;
  readonly version: string;
  readonly digest: string;
  /** Path of the Node.js that runs it. */
  readonly runtime: string;
  readonly policy: Policy;
  readonly change: 'installed' | 'updated' | 'unchanged';
  /** Why the running agent keeps the program and policy that it was started with. */
  readonly stillRunning?: string;
}

/**
 * `makePolicy` gets the policies that bind on the node, and the slice's own. Throws VnmError `unreachable`,
 * `unsupported` (the administrator's login cannot become root, the node lacks something, or users other than root could
 * change what is installed), `not-found` (no such login), `forbidden` (the login is root), `failed` (says what did not
 * work; nothing was changed), and what `makePolicy` throws.
 */
export async function installAgent(
  target: InstallTarget,
  options: SshOptions,
  makePolicy: (present: readonly Policy[]) => Policy,
): Promise<InstalledAgent> {
  const bundle = await agentBundle();
  const session = await connectSsh(target, options);
  try {
    const survey = await surveyNode(session, target.slice, bundle.digest, options.signal);
    requireRoot(session, survey);
    const found = await surveyAsAdmin(session, survey, target.slice, target.login, options.signal);
    checkNode(session, found, target.login);
    const policy = makePolicy(await binding(session, survey, target.slice, found.policies, options.signal));
    const runtime = found.runtime ?? `${survey.lib}/node`;
    const wanted = {
      command: attachScript(survey, target.slice, runtime, agentFileName(bundle)),
      rule: ruleText(survey.lib, target.slice, target.login),
      policy,
    };
    const change = changeOf(survey, found, wanted);
    if (change !== 'unchanged') await put(session, target, survey, found, bundle, wanted, options.signal);
    const stillRunning = await renew(session, survey, target.slice, bundle, policy, options.signal);
    return {
      node: target.node,
      login: target.login,
      version: bundle.version,
      digest: bundle.digest,
      runtime,
      policy,
      change,
      ...(stillRunning === undefined ? {} : { stillRunning }),
    };
  } finally {
    session.close();
  }
}

/** Leaves out policies that `doctor` of an earlier version wrote: they have nothing installed, and no administrator. */
async function binding(
  session: SshSession,
  survey: NodeSurvey,
  own: string,
  policies: readonly Policy[],
  signal: AbortSignal | undefined,
): Promise<Policy[]> {
  if (policies.every(({ slice }) => slice === own)) return [...policies];
  const there = await listSlices(session, survey, signal === undefined ? {} : { signal });
  const binds = there.filter(
    ({ slice, by, installed }) => slice === own || by === 'administrator' || installed.length > 0,
  );
  return policies.filter((policy) => binds.some(({ slice }) => slice === policy.slice));
}

/** Throws VnmError `unsupported`. */
export function requireRoot(session: SshSession, { root, refusal }: NodeSurvey): void {
  if (root === 'login' || root === 'sudo') return;
  throw new VnmError(
    'unsupported',
    `the login '${session.target.user}' of ${nameOf(session.target)} is not root and may not become root (sudo -n)`,
    {
      hint: `${refusal === undefined ? '' : `sudo says '${refusal}'; `}name the administrator's login with --admin-user and --admin-key`,
    },
  );
}

function checkNode(session: SshSession, found: AdminSurvey, login: string): void {
  const place = nameOf(session.target);
  if (found.lacks.length > 0) {
    throw new VnmError('unsupported', `${place} lacks ${found.lacks.join(', ')}`, {
      hint: 'install sudo, iproute2 and util-linux there',
    });
  }
  if (found.uid === undefined) {
    throw new VnmError('not-found', `${place} has no login '${login}'`, {
      hint: "create it there, or give the slice's login with --login",
    });
  }
  if (found.uid === 0) {
    throw new VnmError('forbidden', `the login '${login}' of ${place} is root and cannot be confined`, {
      hint: 'give the slice a login of its own',
    });
  }
  if (found.unsafe.length > 0) {
    throw new VnmError('unsupported', `users other than root may change ${found.unsafe.join(', ')} on ${place}`, {
      hint: `let only root change these and all directories above: chown root DIRECTORY; chmod go-w DIRECTORY`,
    });
  }
}

interface Wanted {
  readonly command: string;
  readonly rule: string;
  readonly policy: Policy;
}

function changeOf(survey: NodeSurvey, found: AdminSurvey, wanted: Wanted): InstalledAgent['change'] {
  const present = found.policies.find(({ slice }) => slice === wanted.policy.slice);
  if (found.command === undefined && found.rule === undefined) return 'installed';
  const isSame =
    survey.hasAgent &&
    found.runtime !== undefined &&
    found.command === wanted.command &&
    found.rule === wanted.rule &&
    isDeepStrictEqual(present, wanted.policy);
  return isSame ? 'unchanged' : 'updated';
}

/** Constant. Arguments: the directory of the delivered files, and the one above it, which is removed if it is empty. */
const cleanUp = 'rm -rf "$1"; rmdir "$2" 2> /dev/null; exit 0';

/**
 * Copies everything to a directory of root's first; from there one command moves it into place, and undoes all if it
 * fails.
 */
async function put(
  session: SshSession,
  { slice, login }: InstallTarget,
  survey: NodeSurvey,
  found: AdminSurvey,
  bundle: AgentBundle,
  wanted: Wanted,
  signal: AbortSignal | undefined,
): Promise<void> {
  const staging = `${survey.lib}/.install-${randomBytes(8).toString('hex')}`;
  const file = (what: string, name: string, mode: Parcel['mode'], text: string): Parcel => {
    return { what, directory: staging, name, mode, ...plain(Buffer.from(text)), keepExisting: false };
  };
  try {
    const parcels: Parcel[] = [
      { ...agentParcel(survey, bundle), directory: staging },
      file('the policy', 'policy', '0644', `${JSON.stringify(wanted.policy, null, 2)}\n`),
      file('the command', 'command', '0755', wanted.command),
      file('the sudo rule', 'rule', '0440', wanted.rule),
    ];
    if (found.runtime === undefined) {
      const { system, hasGzip } = survey;
      const own = await runtimeParcel(session, { lib: staging, system, hasGzip, oldRuntimes: found.oldRuntimes });
      parcels.push(own);
    }
    // All copies have ended before the directory is removed; a late one would create it again.
    const sent = await Promise.allSettled(parcels.map((parcel) => send(session, survey, parcel, signal)));
    for (const one of sent) if (one.status === 'rejected') throw one.reason;
    if (found.runtime === undefined) await checkRuntime(session, `${staging}/node`, signal);
    await placeFiles(session, survey, { staging, slice, login }, signal);
  } finally {
    // Also after an interruption, but not when the connection is gone.
    await session.exec(`${asRoot(survey)}sh -c '${cleanUp}' sh ${staging} ${survey.lib}`).catch((error: unknown) => {
      if (!(error instanceof VnmError)) throw error;
    });
  }
}

/** Stops an agent that runs another program or policy; the next attach starts the new one. */
async function renew(
  session: SshSession,
  survey: NodeSurvey,
  slice: string,
  bundle: AgentBundle,
  policy: Policy,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const command = `${asRoot(survey)}${attachCommand(survey.lib, slice)}`;
  const { channel, facts } = await attach(session, command, signal);
  try {
    if (facts.agent.digest === bundle.digest && isDeepStrictEqual(facts.policy, policy)) return undefined;
    await endAgent(session, channel, signal);
    return undefined;
  } catch (error) {
    // Something is armed.
    if (!(error instanceof VnmError) || error.code !== 'conflict') throw error;
    return `the agent with pid ${facts.agent.pid} keeps running as it was started: ${messageOf(error)}`;
  } finally {
    channel.close();
  }
}

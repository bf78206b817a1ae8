/** Puts the agent and a Node.js runtime on a node of ours. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { machine, type } from 'node:os';
import { PassThrough, pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { VnmError } from '../model/errors.ts';
import type { AgentBundle } from './agent-bundle.ts';
import { type NodeSurvey, oldestRuntime } from './node-survey.ts';
import { nameOf } from './ssh-errors.ts';
import type { SshSession } from './ssh-session.ts';

export interface Parcel {
  /** What it is, in words. */
  readonly what: string;
  readonly directory: string;
  readonly name: string;
  readonly mode: '0755' | '0644' | '0440';
  /** Size and digest of the content as stored there. */
  readonly bytes: number;
  readonly sha256: string;
  /** Turns the stream back into the content. */
  readonly decoder: 'cat' | 'gzip -dc';
  readonly stream: () => Readable;
  /** Whether a file that has this name by then stays. */
  readonly keepExisting: boolean;
}

/**
 * Constant, one line without quotes inside, so that every usual login shell passes it to `sh` unchanged. Arguments:
 * directory, name, mode, size, sha256, decoder, `keep` or `replace`. The file appears under its name complete or not at
 * all.
 */
const receive = [
  'umask 022',
  'mkdir -p "$1" || exit',
  'tmp="$1/.$2.$$"',
  'trap "rm -f $tmp" EXIT',
  '$6 > "$tmp" || exit',
  'size=$(($(wc -c < "$tmp")))',
  'sum=$5',
  'if command -v sha256sum > /dev/null; then sum=$(sha256sum < "$tmp" | cut -c 1-64); fi',
  'if [ "$size $sum" != "$4 $5" ]; then echo "the received file differs from the one that was sent" >&2; exit 1; fi',
  'chmod "$3" "$tmp" || exit',
  'if [ "$7" = keep ]; then ln "$tmp" "$1/$2" || [ -f "$1/$2" ]; else mv -f "$tmp" "$1/$2"; fi',
].join('; ');

/**
 * Copies what the survey found missing; what is there stays. Returns the path of the Node.js runtime to use. Throws
 * VnmError `failed` when a copy fails, `unsupported` when no runtime can be provided.
 */
export async function deliver(
  session: SshSession,
  survey: NodeSurvey,
  bundle: AgentBundle,
  signal: AbortSignal | undefined,
): Promise<string> {
  const parcels: Parcel[] = [];
  if (!survey.hasAgent) parcels.push(agentParcel(survey, bundle));
  if (survey.runtime === undefined) parcels.push(await runtimeParcel(session, survey));
  const sent = await Promise.allSettled(parcels.map((parcel) => send(session, survey, parcel, signal)));
  // Throws the first failure in the order of the parcels, not in time, so that the same fault gives the same message.
  for (const outcome of sent) if (outcome.status === 'rejected') throw outcome.reason;
  if (survey.runtime !== undefined) return survey.runtime;
  const runtime = `${survey.lib}/node`;
  await checkRuntime(session, runtime, signal);
  return runtime;
}

/** Returns the words to put before a command that must run as root. */
export function asRoot(survey: NodeSurvey): string {
  return survey.root === 'sudo' ? 'sudo -n ' : '';
}

export function agentParcel(survey: Pick<NodeSurvey, 'lib'>, bundle: AgentBundle): Parcel {
  const file = { directory: survey.lib, name: agentFileName(bundle), mode: '0755' } as const;
  return { what: 'the agent', ...file, ...plain(bundle.code), keepExisting: false };
}

export function agentFileName(bundle: AgentBundle): string {
  return `agent-${bundle.digest}.mjs`;
}

export function plain(content: Buffer): Pick<Parcel, 'bytes' | 'sha256' | 'decoder' | 'stream'> {
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { bytes: content.length, sha256, decoder: 'cat', stream: () => Readable.from([content]) };
}

/** Returns this process's own Node.js, if it can run on the node. */
export async function runtimeParcel(
  session: SshSession,
  survey: Pick<NodeSurvey, 'lib' | 'system' | 'oldRuntimes' | 'hasGzip'>,
): Promise<Parcel> {
  const own = `${type()} ${machine()}`;
  if (survey.system !== own) {
    const old = survey.oldRuntimes.length === 0 ? '' : `, only ${survey.oldRuntimes.join(' and ')}`;
    throw new VnmError(
      'unsupported',
      `${nameOf(session.target)} has no Node.js ${oldestRuntime} or newer${old}; it is ${survey.system}, so this machine's (${own}) does not run there`,
      { hint: `install Node.js ${oldestRuntime} or newer there` },
    );
  }
  const path = process.execPath;
  const file = { directory: survey.lib, name: 'node', mode: '0755' } as const;
  return {
    what: 'a Node.js runtime',
    ...file,
    bytes: (await stat(path)).size,
    sha256: await digestOf(path),
    decoder: survey.hasGzip ? 'gzip -dc' : 'cat',
    // The command reports a fault of the stream that it reads.
    stream: () =>
      pipeline(createReadStream(path), survey.hasGzip ? createGzip({ level: 1 }) : new PassThrough(), () => undefined),
    keepExisting: false,
  };
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

/** Throws VnmError `failed`. */
export async function send(
  session: SshSession,
  survey: NodeSurvey,
  parcel: Parcel,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { directory, name, mode, bytes, sha256, decoder } = parcel;
  const words = [directory, name, mode, bytes, sha256, `'${decoder}'`, parcel.keepExisting ? 'keep' : 'replace'];
  const { code, stderr } = await session.exec(`${asRoot(survey)}sh -c '${receive}' sh ${words.join(' ')}`, {
    stdin: parcel.stream(),
    what: `the copy of ${parcel.what}`,
    timeoutMs: session.limits.copyMs,
    signal,
  });
  if (code === 0) return;
  throw new VnmError(
    'failed',
    `${parcel.what} could not be copied to ${nameOf(session.target)}: ${stderr.trim() || `exit code ${code}`}`,
    { hint: `check that ${directory} has room and that root may write there` },
  );
}

/** Throws VnmError `unsupported` when the runtime does not run there. */
export async function checkRuntime(session: SshSession, path: string, signal: AbortSignal | undefined): Promise<void> {
  const { code, stderr } = await session.exec(`${path} --version`, { what: 'the first run of Node.js', signal });
  if (code === 0) return;
  throw new VnmError(
    'unsupported',
    `the Node.js of this machine does not run on ${nameOf(session.target)}: ${stderr.trim() || `exit code ${code}`}`,
    { hint: `install Node.js ${oldestRuntime} or newer there` },
  );
}

/**
 * Gateway scheduling as the paper had it: Debian's `at` runs a shell command at each gateway.
 *
 * `at` begins jobs at full minutes only. So T is a full minute, and a gateway that redirects later than T sleeps in its
 * job for the rest. A node of the testbed gets an `atd` of its own, whose spool is in the node's home: it sees that
 * spool, in a mount namespace, where others see the machine's. Real nodes use the `atd` that runs there. A job does
 * nothing unless the controller is still there: otherwise one that is left could redirect in the middle of a later run.
 */
import { randomUUID } from 'node:crypto';
import { sleep } from '../../clock/sleep.ts';
import { recordOf } from '../../controller/migration/record.ts';
import type { Redirect, Run } from '../../controller/migration/types.ts';
import { VnmError } from '../../model/errors.ts';
import { isoInstant } from '../../model/instant.ts';
import type { AgentConnection } from '../../transport/agent-connection.ts';
import type { InstalledVn, Undo } from '../parameters/parameter.ts';
import { gatewayNodesWithout, readTimed, type ShellRedirection, shellRedirections, timed } from './commands.ts';
import { accompany } from './companion.ts';
import { onNodes } from './load.ts';

const minuteMs = 60_000;
/** The least time for giving all gateways their jobs. */
const leadMs = 5000;
/** How long before T jobs can still be taken back at all gateways. */
const lastCallMs = 1000;
/** How long after its instant a job may end. */
const patienceS = 90;

const spool = '/var/spool/cron';

/** Makes a spool and starts `atd` with it; other processes of the node enter its mount namespace by `$HOME/at/pid`. */
const startAtd = [
  'd="$HOME/at" && rm -rf "$d" && mkdir -p "$d/atjobs" "$d/atspool" && touch "$d/atjobs/.SEQ" || exit',
  'chown -R daemon:daemon "$d/atjobs" "$d/atspool" && chmod 1770 "$d/atjobs" "$d/atspool" || exit',
  'chmod 600 "$d/atjobs/.SEQ" || exit',
  // `at` finds its `atd` by a file in /run.
  `unshare --mount sh -c 'mount --bind "$1" ${spool} && mount -t tmpfs tmpfs /run && exec atd -f' sh "$d" & pids=$!`,
  'tries=0; until nsenter --mount --target "$pids" test -s /run/atd.pid',
  'do tries=$((tries + 1)); [ "$tries" -lt 100 ] || { kill "$pids"; exit 1; }; sleep 0.1; done',
  'echo "$pids" > "$d/pid"',
].join('\n');

/** Sets up what `redirectByAt` needs at the gateways. */
export async function setUpAt(installed: InstalledVn): Promise<Undo> {
  const { slice, vn } = installed;
  const local = vn.gateways.filter(({ node }) => isLocal(slice, node));
  return onNodes(installed, new Map(local.map(({ node }) => [node, startAtd])), 'atd');
}

/** Throws VnmError `unsupported` with the nodes of gateways that have no `at`. */
export async function requireAt(installed: InstalledVn): Promise<void> {
  const names = await gatewayNodesWithout(installed, 'the search for at', (node) => {
    const running = isLocal(installed.slice, node) ? '' : ' && pidof atd';
    return `PATH="$PATH:/usr/sbin"; command -v at && command -v atd${running}`;
  });
  if (names.length === 0) return;
  throw new VnmError('unsupported', `control mode 'at' needs at and a running atd on node '${names.join("', '")}'`, {
    hint: 'install the Debian package at there: apt-get install at',
  });
}

function isLocal({ nodes }: Run['slice'], node: string): boolean {
  return nodes.get(node)?.host === undefined;
}

/** See above. The instants are by the gateways' own clocks, which `at` goes by. */
export const redirectByAt: Redirect = async (run, fresh, decision, clocks) => {
  const redirections = await shellRedirections(run, fresh, decision);
  const startAt = Math.ceil((run.agents.clock.wallMs() + leadMs) / minuteMs) * minuteMs;
  const sleeps = redirections.map(({ gateway, offsetMs }) => `${gateway} ${seconds(offsetMs)} s`).join(', ');
  const text = `at begins jobs at full minutes: T is ${isoInstant(startAt)}; in its job sleeps ${sleeps}`;
  run.context.report({ kind: 'note', text });
  // Two migrations may have the same instant on the same nodes.
  const mark = `pl-vnm-at-${randomUUID()}`;
  const nodes = [...new Set(redirections.map(({ node }) => node))];
  const undos: Undo[] = [];
  try {
    await allOf(
      nodes.map(async (node) => undos.push(await accompany(run.agents.get(node), presence(mark), 'presence'))),
    );
    const jobs = await allOf(
      redirections.map(async (redirection, index) => {
        const name = `${mark}-${index}`;
        undos.push(await schedule(run, redirection, startAt, jobText(redirection, mark, name)));
        return { ...redirection, name };
      }),
    );
    // From the first redirection on no signal stops a migration.
    await sleep(Math.max(0, startAt - lastCallMs - run.agents.clock.wallMs()), run.context.signal);
    const last = Math.max(...redirections.map(({ offsetMs }) => offsetMs));
    await sleep(Math.max(0, startAt + last - run.agents.clock.wallMs()));
    return await allOf(
      jobs.map(async ({ gateway, node, offsetMs, name }) => {
        const done = await resultOf(run.agents.get(node), name);
        return recordOf(gateway, startAt + offsetMs, done, clocks.get(node)!);
      }),
    );
  } finally {
    await Promise.allSettled(undos.map((undo) => undo()));
  }
};

/** Waits for all, also if some fail; then throws why the first did. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** The folder with the results of jobs: the node's own spool, where it has one, is in it. */
const toResults = 'cd && { [ ! -e at/pid ] || cd at; }';

/** A script of `accompany`: while it runs, so does the controller, and its connection is open. */
export function presence(mark: string): string {
  return `${toResults} && trap 'rm -f ${mark}.here' EXIT && echo "$$" > ${mark}.here || exit`;
}

/** The script of a job, which begins at T in the folder with the results. `name`: of the file that gets its times. */
export function jobText({ offsetMs, command }: ShellRedirection, mark: string, name: string): string {
  return [
    `sleep ${seconds(offsetMs)}`,
    `{ read -r pid < ${mark}.here && kill -0 "$pid"; } 2> /dev/null || exit`,
    `(${timed(command)}) > ${name}.new 2> ${name}.said`,
    `mv ${name}.new ${name}\n`,
  ].join('\n');
}

/** Gives a gateway its job, and returns what removes it. Throws VnmError `failed`. */
async function schedule(run: Run, { node }: ShellRedirection, startAt: number, job: string): Promise<Undo> {
  const minute = isoInstant(startAt).replaceAll(/[-:T]/g, '').slice(0, 12);
  const words = `TZ=UTC at -t ${minute}`;
  const line = isLocal(run.slice, node)
    ? `nsenter --mount --target "$(cat at/pid)" sh -c 'cd ${spool} && ${words}'`
    : words;
  const { exec } = run.agents.get(node);
  const { code, stderr } = await exec(`cd && ${line}`, { stdin: Buffer.from(job), what: 'at' });
  const id = /^job (\d+) at /m.exec(stderr)?.[1];
  if (code !== 0 || id === undefined) throw new VnmError('failed', `node '${node}': at failed: ${stderr.trim()}`);
  // A job that has begun is none any more.
  return async () => void (await exec(`cd && ${line.replace(words, `atrm ${id}`)}`, { what: 'atrm' }));
}

/** Waits for a job. Throws VnmError `failed` if it has failed, or does not end. */
async function resultOf({ node, exec }: AgentConnection, name: string) {
  const wait = `tries=0; until [ -e ${name} ] || [ $tries -ge ${10 * patienceS} ]; do sleep 0.1; tries=$((tries + 1)); done`;
  const read = `cat ${name}.said >&2; cat ${name}; rm -f ${name} ${name}.said ${name}.new`;
  const command = `${toResults}; ${wait}; ${read}`;
  const { stdout, stderr } = await exec(command, { what: 'the job', timeoutMs: (patienceS + 30) * 1000 });
  return readTimed(node, stdout.toString('utf8'), stderr);
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

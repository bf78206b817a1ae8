/** Sessions on a node by the program `ssh`, which logs in as its user's configuration and devices allow. */
import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { VnmError } from '../../model/errors.ts';
import { secondsText, timeLimits } from '../../model/patience.ts';
import { closerOf } from '../jump-pool.ts';
import { SessionRefused } from '../session-turns.ts';
import { sleepUnless } from '../sleep.ts';
import { nameOf, patienceHint } from '../ssh-errors.ts';
import type { NodeConnection, SshChannel, SshOptions, SshRoute } from '../ssh-types.ts';
import { channelOf, ownFault } from './channel.ts';
import { readLog } from './log.ts';
import { type Master, startMaster, takeMasters } from './master.ts';
import { sessionWords } from './options.ts';

/** Throws VnmError `unsupported` where there is no program `ssh`, and as `connectSsh`. */
export async function openByProgram({ jumps, end }: SshRoute, options: SshOptions): Promise<NodeConnection> {
  const through = await takeMasters(jumps, end, options);
  try {
    const master = await startMaster(end, options, through?.last);
    let count = 0;
    return {
      ending: master.ending,
      close: closerOf(master, () => through?.release()),
      // Forwarding of sockets would take another process; attaching works everywhere.
      openSocket: async () => undefined,
      run: (command) => {
        count += 1;
        return run(master, `${master.socket}.${count}.log`, command);
      },
    };
  } catch (error) {
    through?.release();
    throw error;
  }
}

/** How often to look whether the session is open: `ssh` only tells its log. */
const lookMs = [5, 10, 20, 40, 80];

/** `log`: the file where `ssh` writes what it has to say itself. */
async function run(master: Master, log: string, command: string): Promise<SshChannel> {
  const { program, server } = master;
  const gone = master.ending.error();
  if (gone !== undefined) throw gone;
  const child = spawn(program, sessionWords(master.socket, log, command), { stdio: ['pipe', 'pipe', 'pipe'] });
  let isEnded = false;
  const channel = channelOf(child, async () => {
    // The end of the connection may be noticed later than that of the session.
    if (master.ending.error() === undefined) await sleepUnless(undefined, 50);
    return isOpened(readLog(log)) && master.ending.error() === undefined;
  });
  child.once('exit', () => {
    isEnded = true;
  });
  child.once('error', () => {
    isEnded = true;
  });
  const forget = () => rm(log, { force: true });
  channel.once('close', () => void forget());
  const { openMs } = timeLimits(server.patience);
  const startMs = performance.now();
  for (let look = 0; ; look += 1) {
    const hasEnded = isEnded;
    const said = readLog(log);
    if (isOpened(said)) return channel;
    if (hasEnded) {
      channel.resume();
      channel.stderr.resume();
      throw await refusal(master, said);
    }
    if (performance.now() - startMs > openMs) {
      channel.close();
      const what = `${nameOf(server)} did not answer the request to run a command within ${secondsText(openMs)}`;
      throw new VnmError('timeout', what, { hint: patienceHint("see the log of the node's SSH server") });
    }
    await sleepUnless(undefined, lookMs[Math.min(look, lookMs.length - 1)]!);
  }
}

function isOpened(log: string): boolean {
  return /^debug1: \S*: master session id: \d+/m.test(log);
}

async function refusal({ server, ending }: Master, log: string): Promise<Error> {
  if (!log.includes('refused by peer')) {
    await sleepUnless(undefined, 50);
    const gone = ending.error();
    if (gone !== undefined) return gone;
  }
  const said = /^mux_client\S*: (.*)$/m.exec(log)?.[1] ?? `ssh ended with exit code ${ownFault}`;
  const error = new VnmError('failed', `${nameOf(server)} refused to open a session: ${said}`, {
    hint: "allow sessions on the node's SSH server (MaxSessions in its sshd_config, one is enough)",
  });
  return new SessionRefused(error);
}

/** An ssh agent of OpenSSH with keys in it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** `directory`: for its socket and a program that tells the passphrase of the keys. */
export async function startSshAgent(
  directory: string,
  passphrase: string,
  keys: readonly string[],
): Promise<{ socket: string; askpass: NodeJS.ProcessEnv; stop(): Promise<void> }> {
  const socket = `${directory}/agent-${process.hrtime.bigint()}`;
  const program = `${socket}-askpass`;
  writeFileSync(program, `#!/bin/sh\necho '${passphrase}'\n`, { mode: 0o755 });
  const askpass = { SSH_ASKPASS: program, SSH_ASKPASS_REQUIRE: 'force' };
  const child = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  while (!existsSync(socket)) {
    if (child.exitCode !== null) throw new Error('ssh-agent did not start');
    await sleep(10);
  }
  for (const key of keys) {
    execFileSync('ssh-add', ['-q', key], {
      env: { ...process.env, SSH_AUTH_SOCK: socket, ...askpass },
      stdio: 'ignore',
    });
  }
  return { socket, askpass, stop: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, 'exit');
}

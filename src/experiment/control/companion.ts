/** Programs that run on a node during a run, and end with it. */
import { PassThrough, Writable } from 'node:stream';
import { VnmError } from '../../model/errors.ts';
import type { AgentConnection } from '../../transport/agent-connection.ts';
import type { Undo } from '../parameters/parameter.ts';

/** How much of what a program says goes into an error. */
const maxExcerpt = 300;

/**
 * Starts a shell script on a node, which puts the ids of its processes into `$pids`. Resolves when the script has come
 * to its end, and returns what ends these processes; they also end when the connection does. Throws VnmError `failed`
 * with what the script says, if it exits before its end.
 */
export async function accompany(
  { node, stream }: Pick<AgentConnection, 'node' | 'stream'>,
  script: string,
  what: string,
): Promise<Undo> {
  const stdin = new PassThrough();
  const ready = Promise.withResolvers<void>();
  let said = '';
  const listen = () =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        said = `${said}${chunk}`.slice(-maxExcerpt);
        if (said.includes('ready\n')) ready.resolve();
        done();
      },
    });
  const whole = `pids=; ${script}; echo ready; cat > /dev/null; kill $pids`;
  const ended = stream(['sh', '-c', whole], { stdin, stdout: listen(), stderr: listen(), what });
  ended.then(
    () => ready.reject(new VnmError('failed', `${what} on node '${node}' ended: ${said.trim()}`)),
    ready.reject,
  );
  await ready.promise;
  return async () => {
    stdin.end();
    await ended;
  };
}

/** Sends echo requests with a place's own `ping`: from its network, as any program there would. */
import { Readable, Writable } from 'node:stream';
import { VnmError } from '../../model/errors.ts';
import type { NodeName } from '../../model/names.ts';
import type { Commands } from './commands.ts';
import { type PingReport, readPing } from './ping-output.ts';

export interface EchoRequests {
  readonly to: string;
  /** Absent: the kernel chooses. */
  readonly from?: string | undefined;
  readonly count: number;
  /** How long to wait for the last answer, s. */
  readonly waitS: number;
  /** Time between two requests, s; `ping` allows users 0.2 and more. */
  readonly intervalS?: number;
  /** After how many hops a request expires; by default it does not. */
  readonly hops?: number;
}

/** Prints messages that `readPing` can read, whatever language the login has. */
function pingWords({ to, from, count, waitS, intervalS, hops }: EchoRequests): string[] {
  return [
    ...['env', 'LC_ALL=C', 'ping', '-n', '-c', String(count), '-W', String(waitS)],
    ...(intervalS === undefined ? [] : ['-i', String(intervalS)]),
    ...(hops === undefined ? [] : ['-t', String(hops)]),
    ...(from === undefined ? [] : ['-I', from]),
    to,
  ];
}

/**
 * Sends the requests and waits for their answers. `show` gets what `ping` prints, as it comes. Throws VnmError
 * `unsupported` if the node has no `ping`, `failed` if it could not send, and as `exec`.
 */
export async function ping(
  { run }: Pick<Commands, 'run'>,
  node: NodeName,
  requests: EchoRequests,
  show: (text: string) => void = () => {},
): Promise<PingReport> {
  const [stdout, stderr] = [collecting(show), collecting()];
  const streams = { stdin: Readable.from([]), stdout: stdout.stream, stderr: stderr.stream };
  const { code } = await run(pingWords(requests), streams);
  const report = readPing(stdout.text());
  if (report !== undefined) return report;
  if (code === 127) {
    throw new VnmError('unsupported', `node '${node}' has no 'ping'`, { hint: 'install iputils-ping there' });
  }
  const why = stderr.text().trim() || `exit code ${code}`;
  throw new VnmError('failed', `node '${node}' cannot send echo requests to ${requests.to}: ${why}`);
}

function collecting(show: (text: string) => void = () => {}): { stream: Writable; text: () => string } {
  let all = '';
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: Buffer | string, _encoding, done) {
      const text = chunk.toString();
      all += text;
      show(text);
      done();
    },
  });
  return { stream, text: () => all };
}

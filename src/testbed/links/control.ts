/** What is said to a running relay, on the Unix socket in the testbed's directory: one line of JSON each way. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import { type ErrorCode, type ErrorJson, errorCodes, VnmError } from '../../model/errors.ts';
import { testbedFiles } from '../layout.ts';
import { type DirectedLink, directedLinkSchema, type LinkChange, linkChangeSchema } from './properties.ts';

export const requestSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('change'), change: linkChangeSchema }),
  /** Asks for a port that takes probes, until the connection is closed. */
  z.strictObject({ kind: z.literal('probe') }),
]);

const errorSchema = z.strictObject({
  error: z.strictObject({
    code: z.enum(errorCodes as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    hint: z.string().exactOptional(),
  }),
});
const changeAnswerSchema = z.union([z.strictObject({ links: z.array(directedLinkSchema) }), errorSchema]);
const probeAnswerSchema = z.union([z.strictObject({ port: z.int() }), errorSchema]);

type RelayRequest = z.infer<typeof requestSchema>;
export type RelayAnswer = z.infer<typeof changeAnswerSchema> | z.infer<typeof probeAnswerSchema> | ErrorJson;

/** Far longer than an answer takes, even on a busy machine. */
const patienceMs = 10_000;

/**
 * Changes a path while it carries traffic. Returns the directions as they are now. Throws VnmError: `failed` when no
 * relay answers, and what `changeLinks` throws.
 */
export async function requestChange(directory: string, change: LinkChange): Promise<readonly DirectedLink[]> {
  const { socket, answer } = await request(directory, { kind: 'change', change });
  socket.destroy();
  return orThrow(changeAnswerSchema.parse(answer)).links;
}

/** Returns the relay's port for probes, which is open until `close` is called. Throws VnmError `failed`. */
export async function requestProbePort(directory: string): Promise<{ port: number; close: () => void }> {
  const { socket, answer } = await request(directory, { kind: 'probe' });
  const { port } = orThrow(probeAnswerSchema.parse(answer));
  return { port, close: () => socket.destroy() };
}

async function request(directory: string, message: RelayRequest): Promise<{ socket: Socket; answer: unknown }> {
  const socket = connect(testbedFiles(directory).relaySocket);
  const signal = AbortSignal.timeout(patienceMs);
  try {
    await once(socket, 'connect', { signal });
    socket.write(`${JSON.stringify(message)}\n`);
    const lines = createInterface({ input: socket });
    const closed = once(lines, 'close', { signal }).then(() => {
      throw new Error('it closed the connection');
    });
    const [line] = await Promise.race([once(lines, 'line', { signal }), closed]);
    return { socket, answer: JSON.parse(line) };
  } catch (cause) {
    socket.destroy();
    throw new VnmError('failed', `the relay of the testbed in ${directory} does not answer`, {
      hint: 'run pl-vnm testbed up with the same slice files again; take a testbed of an earlier version down before',
      cause,
    });
  }
}

function orThrow<Answer extends object>(answer: Answer | z.infer<typeof errorSchema>): Answer {
  if (!('error' in answer)) return answer;
  const { code, message, hint } = (answer as z.infer<typeof errorSchema>).error;
  throw new VnmError(code, message, { hint });
}

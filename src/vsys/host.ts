/** What the agent's program answers to the question how to run a command at an end host. */
import * as z from 'zod';
import { errorCodes, VnmError } from '../model/errors.ts';

/** An error, as `errorJson` makes it. */
export const faultSchema = z.strictObject({
  error: z.strictObject({ code: z.enum(errorCodes), message: z.string(), hint: z.string().optional() }),
});

export function toError({ error: { code, message, hint } }: z.infer<typeof faultSchema>): VnmError {
  return new VnmError(code, message, { hint });
}

/** The words to put before the command. */
const hostStart = z.strictObject({ words: z.array(z.string()).min(1) });
export type HostStart = z.infer<typeof hostStart>;

const answerSchema = z.union([hostStart, faultSchema]);

/** Reads the last line of an output. Throws the error that it has; returns undefined if it is something else. */
export function readHostStart(output: string): HostStart | undefined {
  const answer = answerSchema.safeParse(jsonOf(output.trimEnd().split('\n').at(-1)!));
  if (!answer.success) return undefined;
  if ('error' in answer.data) throw toError(answer.data);
  return answer.data;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

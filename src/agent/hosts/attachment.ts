/** What the agent and a program at an end host say to each other before the first packet. */
import * as z from 'zod';
import { faultSchema, toError } from '../../vsys/host.ts';

export const attachRequest = z.strictObject({
  address: z.ipv4(),
  /** Only asks whether an attachment would be accepted now. */
  check: z.boolean(),
});
export type AttachRequest = z.infer<typeof attachRequest>;

/** `mtu`: of the VN, bytes. `subnet`: the slice's, as `a.b.c.d/n`. */
const attachedSchema = z.strictObject({ mtu: z.int(), subnet: z.string() });
export type Attached = z.infer<typeof attachedSchema>;

const answerSchema = z.union([attachedSchema, faultSchema]);
export type AttachAnswer = z.infer<typeof answerSchema>;

export function encode(message: AttachRequest | AttachAnswer): Buffer {
  return Buffer.from(JSON.stringify(message));
}

/** Throws the agent's error. */
export function decodeAnswer(message: Buffer): Attached {
  const answer = answerSchema.parse(JSON.parse(message.toString()));
  if ('error' in answer) throw toError(answer);
  return answer;
}

import fc from 'fast-check';
import { createAgentUnderTest, world } from './agent-under-test.ts';
import { exchange, newTally, type Tally } from './exchange.ts';
import { batches, type Frame } from './frames.ts';
import { requireSuccess } from './outcome.ts';

/** More than may be in progress at once. */
const perBatch = 50;

const body = Buffer.from('{"jsonrpc":"2.0","id":"greeting","method":"hello","params":{}}');
const greeting: Frame = {
  bytes: Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]),
  request: { id: '"greeting"', method: 'hello', params: {} },
};

/**
 * Sends an agent `messages` messages, in batches with a channel each, and greets it over a new channel after every
 * batch. Throws with the smallest batch found that it does not survive.
 */
export async function fuzzMessages(messages: number, seed?: number): Promise<Tally> {
  const tally = newTally();
  const details = await fc.check(
    fc.asyncProperty(batches(perBatch), async (batch) => {
      const agent = createAgentUnderTest();
      await exchange(agent, world, batch, tally);
      const after = newTally();
      await exchange(agent, world, { frames: [greeting], pieceBytes: 1000 }, after);
      if (after.done !== 1) throw new Error('the agent no longer answers hello');
    }),
    { numRuns: Math.ceil(messages / perBatch), ...(seed === undefined ? {} : { seed }) },
  );
  requireSuccess(details, ({ frames, ending = Buffer.alloc(0) }) =>
    JSON.stringify([...frames.map(({ bytes }) => bytes.toString()), ending.toString('latin1')]),
  );
  return tally;
}

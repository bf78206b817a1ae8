import { describe, expect, it } from 'vitest';
import { fuzzMessages } from './messages.ts';

const messages = 5_000;

describe('the agent', () => {
  it('the agent answers everything, and does only what the policy allows', async () => {
    const { requests, done, refused, closed, calls } = await fuzzMessages(messages);
    // Everything was tried: allowed requests, each reason to refuse, and whatever ends a channel.
    expect(requests).toBeGreaterThan(messages / 2);
    expect(done).toBeGreaterThan(requests / 10);
    expect(calls).toBeGreaterThan(requests / 20);
    expect(closed).toBeGreaterThan(messages / 50 / 10);
    expect([...refused.keys()].sort()).toEqual(['conflict', 'forbidden', 'invalid-input', 'not-found']);
  });
});

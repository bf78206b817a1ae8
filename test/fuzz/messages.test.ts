import { describe, expect, it } from 'vitest';
import { fuzzMessages } from './messages.ts';

const messages = 5_000;

describe('the agent', () => {
  it('answers whatever it is sent, and does only what the policy allows', async () => {
    const { requests, done, refused, closed, calls } = await fuzzMessages(messages);
    // All of it was tried: what is allowed, each reason to refuse, and what ends a channel.
    expect(requests).toBeGreaterThan(messages / 2);
    expect(done).toBeGreaterThan(requests / 10);
    expect(calls).toBeGreaterThan(requests / 20);
    expect(closed).toBeGreaterThan(messages / 50 / 10);
    expect([...refused.keys()].sort()).toEqual(['conflict', 'forbidden', 'invalid-input', 'not-found']);
  });
});

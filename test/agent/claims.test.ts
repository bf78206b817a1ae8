import { expect, it } from 'vitest';
import { createClaims } from '../../src/agent/claims.ts';
import { type AgentParts, createHandlers } from '../../src/agent/handlers.ts';
import { systemClock } from '../../src/clock/clock.ts';
import { testPolicy } from '../support/agent-node.ts';

const late = { code: 'conflict', message: 'request refused: a later command has taken over on this node' };

/** Claims as a controller does: it repeats the claim with the ticket that it received. */
function claim(claims: ReturnType<typeof createClaims>, vn?: string): number {
  for (let after = 0; ; ) {
    const { granted, ticket } = claims.claim({ after, ...(vn === undefined ? {} : { vn }) });
    if (granted) return ticket;
    after = ticket;
  }
}

it('a later claim refuses requests that an earlier command on the same VN still had in transit', () => {
  const claims = createClaims();
  const interrupted = claim(claims, 'a');
  claims.check(interrupted);
  const rollback = claim(claims, 'a');
  expect(() => claims.check(interrupted)).toThrow(expect.objectContaining(late));
  claims.check(rollback);
});

it('commands on several VNs may work at the same time, and a command on the whole slice works alone', () => {
  const claims = createClaims();
  const [a, b] = [claim(claims, 'a'), claim(claims, 'b')];
  for (const ticket of [a, b]) claims.check(ticket);
  const whole = claim(claims);
  for (const ticket of [a, b]) expect(() => claims.check(ticket)).toThrow(expect.objectContaining(late));
  claims.check(whole);
  const next = claim(claims, 'a');
  expect(() => claims.check(whole)).toThrow(expect.objectContaining(late));
  claims.check(next);
});

it('a claim that arrives late is not granted', () => {
  const claims = createClaims();
  // It was sent before the other, by a command that knew of none.
  const other = claim(claims, 'a');
  expect(claims.claim({ vn: 'a', after: 0 })).toEqual({ granted: false, ticket: other });
  claims.check(other);
});

it('the agent keeps a limited number of claims', () => {
  const claims = createClaims();
  const first = claim(claims, 'vn0');
  for (let vn = 1; vn <= 1024; vn += 1) claim(claims, `vn${vn}`);
  expect(() => claims.check(first)).toThrow(expect.objectContaining(late));
});

it('the agent refuses tickets that it did not issue', () => {
  const claims = createClaims();
  expect(() => claims.check(1)).toThrow(expect.objectContaining(late));
});

it('claims are checked before every request that changes something', async () => {
  const done: string[] = [];
  const note = (what: string) => async () => void done.push(what);
  const parts = {
    policy: testPolicy('test_'),
    otherSubnets: async () => [],
    dataPlane: { apply: note('apply'), redirect: note('redirect'), prepare: note('arm') },
    streams: {},
    watches: {},
    inside: { commands: {}, leaving: () => () => {} },
    armed: {},
    clock: systemClock,
    log: () => {},
  };
  const handlers = createHandlers(parts as unknown as AgentParts);
  const { ticket } = await handlers.claim({ vn: 'a', after: 0 });
  const groups = [{ id: 65_540, active: 65_536 }];
  const ask = async () => {
    await handlers.apply({ operations: [], dryRun: false, repair: false, ticket });
    await handlers.redirect({ groups, ticket });
    await handlers.arm({ id: 'x', at: Date.now(), actions: [{ kind: 'redirect', offsetMs: 0, groups }], ticket });
  };
  await ask();
  expect(done).toEqual(['apply', 'redirect', 'arm']);
  await handlers.claim({ vn: 'a', after: ticket });
  await expect(handlers.apply({ operations: [], dryRun: false, repair: false, ticket })).rejects.toMatchObject(late);
  await expect(handlers.redirect({ groups, ticket })).rejects.toMatchObject(late);
  const arm = { id: 'y', at: Date.now(), actions: [{ kind: 'redirect' as const, offsetMs: 0, groups }], ticket };
  await expect(handlers.arm(arm)).rejects.toMatchObject(late);
  expect(done).toHaveLength(3);
});

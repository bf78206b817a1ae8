/** Nodes that had their time and did not answer, in one command. */
import { expect, it } from 'vitest';
import type { Connections } from '../../src/controller/base/connections.ts';
import type { Context } from '../../src/controller/base/context.ts';
import { defaultPolicy, withReachable } from '../../src/controller/nodes/agents.ts';
import { VnmError } from '../../src/model/errors.ts';
import { timeLimits } from '../../src/model/patience.ts';
import type { AgentConnection, AgentTarget } from '../../src/transport/agent-connection.ts';
import { temporaryStore } from '../support/temporary-store.ts';
import { sliceOf } from '../testbed/support.ts';

const slice = { ...sliceOf([]), nodes: new Map(['a', 'b'].map((name) => [name, { name, host: '192.0.2.1' }])) };
const policy = defaultPolicy(slice);

/** Connects to all but those of `failures`; `end` ends the connections to a node. */
function playNodes(failures: ReadonlyMap<string, VnmError> = new Map()) {
  const attempts: string[] = [];
  const listeners = new Map<string, Set<(error?: VnmError) => void>>();
  const connectionTo = (node: string) =>
    ({
      node,
      facts: { policy: { ...policy, namespacePrefix: `own-${node}_` }, features: [] },
      limits: timeLimits(),
      onClose: (listener: () => void) => {
        const own = listeners.get(node) ?? new Set();
        listeners.set(node, own.add(listener));
        return () => own.delete(listener);
      },
      close: () => {},
    }) as unknown as AgentConnection;
  const connect = async (targets: readonly AgentTarget[]) => {
    attempts.push(...targets.map(({ node }) => node));
    const isThere = ({ node }: AgentTarget) => !failures.has(node);
    return { connections: targets.filter(isThere).map(({ node }) => connectionTo(node)), failures };
  };
  const end = (node: string, error: VnmError) => {
    for (const listener of listeners.get(node) ?? []) listener(error);
  };
  return { attempts, end, connections: { connect } as unknown as Connections };
}

async function withNodes(
  played: ReturnType<typeof playNodes>,
  body: Parameters<typeof withReachable<void>>[3],
): Promise<void> {
  const { store, remove } = temporaryStore();
  const context: Context = { store, connections: played.connections, acceptNewHostKeys: false, report: () => {} };
  await withReachable(context, slice, ['a', 'b'], body).finally(remove);
}

it('are not tried again when a request has run into its limit', async () => {
  const played = playNodes();
  await withNodes(played, async (agents) => {
    const silence = new VnmError(
      'timeout',
      "the agent did not answer 'apply' within 120 s, so the connection was closed",
    );
    played.end('a', silence);
    expect(() => agents.get('a')).toThrow(silence);
    await agents.revive(['a', 'b']);
    expect(agents.missing.get('a')).toBe(silence);
  });
  expect(played.attempts).toEqual(['a', 'b']);
});

it('are not tried again when they did not even answer when they were connected to', async () => {
  const silence = new VnmError('timeout', 'the agent did not start and answer within 60 s');
  const played = playNodes(new Map([['b', silence]]));
  await withNodes(played, async (agents) => {
    expect(agents.missing.get('b')).toBe(silence);
    await agents.revive(['b']);
  });
  expect(played.attempts).toEqual(['a', 'b']);
});

it('are tried once more where only their connection has ended', async () => {
  const played = playNodes();
  await withNodes(played, async (agents) => {
    played.end('a', new VnmError('unreachable', 'the connection was lost'));
    await agents.revive(['a']);
    expect(agents.missing.has('a')).toBe(false);
  });
  expect(played.attempts).toEqual(['a', 'b', 'a']);
});

it('keep the names that they have while they are unreachable', async () => {
  const played = playNodes(new Map([['b', new VnmError('unreachable', 'no route to the host')]]));
  await withNodes(played, async (agents) => {
    played.end('a', new VnmError('unreachable', 'the connection was lost'));
    expect(agents.namespacePrefix('a')).toBe('own-a_');
    expect(agents.resilient('a')).toBe(false);
    expect(agents.namespacePrefix('b')).toBe(policy.namespacePrefix);
  });
});

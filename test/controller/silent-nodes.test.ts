/** Nodes that did not answer in time, within one command. */
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

/** Connects to all nodes except those in `failures`; `end` ends the connections to a node. */
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

it('a node is not tried again after a request to it has timed out', async () => {
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

it('a node is not tried again after a connection attempt to it has timed out', async () => {
  const silence = new VnmError('timeout', 'the agent did not start and answer within 60 s');
  const played = playNodes(new Map([['b', silence]]));
  await withNodes(played, async (agents) => {
    expect(agents.missing.get('b')).toBe(silence);
    await agents.revive(['b']);
  });
  expect(played.attempts).toEqual(['a', 'b']);
});

it('a node is tried once more if only its connection has ended', async () => {
  const played = playNodes();
  await withNodes(played, async (agents) => {
    played.end('a', new VnmError('unreachable', 'the connection was lost'));
    await agents.revive(['a']);
    expect(agents.missing.has('a')).toBe(false);
  });
  expect(played.attempts).toEqual(['a', 'b', 'a']);
});

it('a node keeps its namespace names while it is unreachable', async () => {
  const played = playNodes(new Map([['b', new VnmError('unreachable', 'no route to the host')]]));
  await withNodes(played, async (agents) => {
    played.end('a', new VnmError('unreachable', 'the connection was lost'));
    expect(agents.namespacePrefix('a')).toBe('own-a_');
    expect(agents.resilient('a')).toBe(false);
    expect(agents.namespacePrefix('b')).toBe(policy.namespacePrefix);
  });
});

/** Garbage on the channel of a real agent must not end the agent. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AgentNode, agentLog, startAgentNode } from '../support/agent-node.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { endings } from './frames.ts';

describeAsRoot('an agent that is sent garbage', () => {
  let node: AgentNode;
  let socketPath: string;
  beforeAll(async () => {
    node = await startAgentNode();
    socketPath = join(node.directory, 'run', `${node.policy.slice}.sock`);
  });
  afterAll(() => node.remove());

  const pid = async () => (await node.client().call('hello', {})).agent.pid;

  async function open(): Promise<Socket> {
    const socket = connect(socketPath);
    // The agent may close while there is more to write.
    socket.on('error', () => {});
    socket.resume();
    await once(socket, 'connect');
    return socket;
  }

  it('an agent survives garbage, and serves others meanwhile', async () => {
    const before = await pid();
    // Left open in the middle of a message.
    const stalled = await Promise.all(Array.from({ length: 20 }, open));
    for (const [index, socket] of stalled.entries())
      socket.write('Content-Length: 1000\r\n\r\n{"json'.slice(0, index + 5));
    await fc.assert(
      fc.asyncProperty(endings, async (bytes) => {
        const socket = await open();
        // The connection may be reset where the agent has not read everything.
        const closed = new Promise((resolve) => socket.once('close', resolve));
        socket.end(bytes);
        await closed;
        expect(await pid()).toBe(before);
      }),
      { numRuns: 200 },
    );
    for (const socket of stalled) socket.destroy();
    const attached = node.attach();
    attached.process.stdin!.end('GET / HTTP/1.0\r\n\r\n');
    expect(await attached.ended).toBe(0);
    expect(await pid()).toBe(before);
    expect(agentLog(node)).not.toMatch(/Z (shutting down|failed): /);
    expect(await node.inventory()).toEqual({ namespaces: [], interfaces: [], routes: [], nexthops: [], rules: false });
  });
});

import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { startAgentNode } from '../support/agent-node.ts';
import { describeAsRoot, uniqueName } from '../support/privileges.ts';
import { contractOf } from './contract.ts';
import type { PlaneUnderTest } from './under-test.ts';

/** Starts nodes that are namespaces, on one bridge in another namespace. */
const kernel: PlaneUnderTest = {
  kind: 'kernel',
  async start(count, limits = {}) {
    const bridge = uniqueName('ctb');
    const ip = (...words: string[]) => execFileSync('ip', words, { stdio: 'pipe' });
    ip('netns', 'add', bridge);
    ip('-n', bridge, 'link', 'add', 'bridge0', 'type', 'bridge');
    ip('-n', bridge, 'link', 'set', 'bridge0', 'up');
    const started = await Promise.all(Array.from({ length: count }, () => startAgentNode(limits)));
    const nodes = started.map((node, index) => {
      const address = `192.0.2.${index + 1}`;
      const { namespace, policy } = node;
      ip('-n', bridge, 'link', 'add', `n${index}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
      ip('-n', bridge, 'link', 'set', `n${index}`, 'master', 'bridge0', 'up');
      ip('-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0');
      ip('-n', namespace, 'link', 'set', 'eth0', 'up');
      return { address, policy, tunnelKind: 'vxlan' as const, call: node.client().call };
    });
    return {
      nodes,
      pass: async (ms) => void (await sleep(ms)),
      async end() {
        for (const node of started) await node.remove();
        ip('netns', 'del', bridge);
      },
    };
  },
};

describeAsRoot('the plane of the kernel', () => contractOf(kernel));

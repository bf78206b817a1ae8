import { describe } from 'vitest';
import { testPolicy } from '../support/agent-node.ts';
import type { Network } from '../support/memory-plane/network.ts';
import { startMemoryNode } from '../support/memory-plane/node.ts';
import { createFakeTime } from '../support/memory-plane/timing.ts';
import { contractOf } from './contract.ts';
import type { PlaneUnderTest } from './under-test.ts';

const memory: PlaneUnderTest = {
  kind: 'memory',
  async start(count, limits = {}) {
    const network: Network = new Map();
    const time = createFakeTime();
    const nodes = Array.from({ length: count }, (_, index) => {
      const [address, policy] = [`192.0.2.${index + 1}`, testPolicy(`n${index}_`, limits)];
      return { address, policy, tunnelKind: 'vxlan' as const, ...startMemoryNode(network, address, policy, time) };
    });
    return {
      nodes,
      pass: async (ms) => time.advance(ms),
      end: async () => void (await Promise.all(nodes.map((node) => node.end()))),
    };
  },
};

describe('the plane in memory', () => contractOf(memory));

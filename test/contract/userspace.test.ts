import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { createUserspaceActuator } from '../../src/agent/dataplane/userspace/actuator.ts';
import { stateFile } from '../../src/agent/dataplane/userspace/state-file.ts';
import { createUserspaceDataPlane } from '../../src/agent/dataplane/userspace/userspace-dataplane.ts';
import { testPolicy } from '../support/agent-node.ts';
import { createFakeTime } from '../support/memory-plane/timing.ts';
import { startNodeInProcess } from '../support/node-in-process.ts';
import { contractOf } from './contract.ts';
import type { PlaneUnderTest } from './under-test.ts';

/** Nodes in this process, whose tunnels are on loopback. */
const userspace: PlaneUnderTest = {
  kind: 'userspace',
  async start(count, limits = {}) {
    const time = createFakeTime();
    const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-userspace-'));
    const address = '127.0.0.1';
    const nodes = await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const policy = { ...testPolicy(`n${index}_`, limits), userspace: { address, port: 65_535 } };
        const file = stateFile(join(directory, `${index}.json`));
        const parts = { address, port: 0, file, installed: async () => {}, log: () => {} };
        const plane = await createUserspaceDataPlane(policy, time.clock, parts);
        const node = startNodeInProcess(plane, createUserspaceActuator(plane.switches), policy, time);
        return { address, port: plane.port, policy, tunnelKind: 'udp' as const, ...node };
      }),
    );
    return {
      nodes,
      pass: async (ms) => time.advance(ms),
      async end() {
        await Promise.all(nodes.map((node) => node.end()));
        rmSync(directory, { recursive: true });
      },
    };
  },
};

describe('the plane in user space', () => contractOf(userspace));

import { expect, it } from 'vitest';
import { doctorExitCode, missingFeatures } from '../../src/cli/commands/doctor.ts';
import type { NodeReport } from '../../src/controller/doctor.ts';

const fine: NodeReport = { node: 'a', reachable: true, problems: [], features: [{ name: 'root', available: true }] };
const lacking: NodeReport = {
  node: 'b',
  reachable: true,
  problems: ['lacks root'],
  features: [
    { name: 'root', available: false },
    { name: 'vxlan', available: false },
  ],
};
const unreachable: NodeReport = { node: 'c', reachable: false, problems: ['c cannot be reached'] };

it("missingFeatures returns 'unknown' for an unreachable node", () => {
  expect([fine, lacking, unreachable].map(missingFeatures)).toEqual(['nothing', 'root, vxlan', 'unknown']);
});

it('doctorExitCode returns 4 if a node is unreachable, whatever else is wrong', () => {
  const exitCode = (...nodes: NodeReport[]) => {
    return doctorExitCode({ slice: 's', ok: nodes.every((node) => node.problems.length === 0), nodes });
  };
  expect([
    exitCode(fine),
    exitCode(fine, lacking),
    exitCode(fine, unreachable),
    exitCode(lacking, unreachable),
  ]).toEqual([0, 1, 4, 4]);
});

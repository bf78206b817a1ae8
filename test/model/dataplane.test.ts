import { expect, it } from 'vitest';
import { refuseForwards } from '../../src/agent/dataplane/refuse-forwards.ts';
import { refuseKernelForwards, refuseUserspaceDaemons } from '../../src/model/dataplane.ts';
import type { Slice } from '../../src/model/slice.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';

const slice = readSlice(gallery('two-node'));
const vn = slice.vns[0]!;
const forwards = [{ port: 5353, to: 'e2', toPort: 53 }];
const served = { ...vn, endHosts: vn.endHosts.map((one) => (one.name === 'e1' ? { ...one, forwards } : one)) };
const inUserspace: Slice = {
  ...slice,
  nodes: new Map([...slice.nodes].map(([name, node]) => [name, { ...node, dataplane: 'userspace' as const }])),
};

it('a VN with forwards needs the userspace data plane', () => {
  expect(() => refuseKernelForwards(slice, served)).toThrow(
    expect.objectContaining({
      code: 'unsupported',
      message: "end host 'e1' of VN 'two' has forwards, but the kernel data plane has none",
      hint: 'on the kernel data plane programs use the addresses of the VN themselves: remove `forward`, or use the userspace data plane',
    }),
  );
  expect(() => refuseKernelForwards(inUserspace, served)).not.toThrow();
  expect(() => refuseKernelForwards(slice, vn)).not.toThrow();
});

it('a VN with routing daemons needs the data plane of the kernel', () => {
  const living = { ...vn, routers: vn.routers.map(({ name }) => ({ name, kind: 'bird', config: {} }) as const) };
  expect(() => refuseUserspaceDaemons(inUserspace, living)).toThrow(
    expect.objectContaining({
      code: 'unsupported',
      message: "router 'a' of VN 'two' is of kind 'bird', which the userspace data plane does not have",
      hint: 'its routers run no programs: use the kernel data plane',
    }),
  );
  expect(() => refuseUserspaceDaemons(slice, living)).not.toThrow();
  expect(() => refuseUserspaceDaemons(inUserspace, vn)).not.toThrow();
});

it('a plane without forwards refuses their operations', () => {
  expect(() => refuseForwards([{ op: 'rule_up' }], 'kernel')).not.toThrow();
  expect(() => refuseForwards([{ op: 'forward_down', side: 'listen', localPort: 5353 }], 'kernel')).toThrow(
    expect.objectContaining({ code: 'unsupported', message: 'the kernel data plane has no forwards' }),
  );
});

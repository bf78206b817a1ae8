import { expect, test } from 'vitest';
import { dataplaneChoice } from '../../src/testbed/dataplane.ts';
import { describeAsRoot } from '../support/privileges.ts';

function attempt(wanted: 'kernel') {
  return () => dataplaneChoice(wanted);
}

/** Runs `body` as on another machine. */
function elsewhere(changes: { platform?: string; uid?: number }, body: () => void): void {
  const { getuid, platform } = process;
  try {
    Object.defineProperty(process, 'platform', { value: changes.platform ?? 'linux' });
    process.getuid = () => changes.uid ?? 0;
    body();
  } finally {
    Object.defineProperty(process, 'platform', { value: platform });
    if (getuid === undefined) delete process.getuid;
    else process.getuid = getuid;
  }
}

test('the userspace data plane is always available', () => {
  expect(dataplaneChoice('userspace')).toEqual({ dataplane: 'userspace', reason: 'as requested' });
});

test.each([
  ['on another system', { platform: 'darwin' }, 'Linux'],
  ['without root', { uid: 1000 }, 'root'],
])('auto chooses the userspace data plane %s and says why; kernel is refused', (_where, changes, lacking) => {
  elsewhere(changes, () => {
    expect(dataplaneChoice('auto')).toEqual({
      dataplane: 'userspace',
      reason: expect.stringMatching(`^the kernel data plane needs ${lacking}`),
    });
    expect(attempt('kernel')).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        message: expect.stringMatching(`^the kernel data plane needs ${lacking}`),
        hint: 'run on Linux as root with iproute2 and util-linux, or use --dataplane userspace',
      }),
    );
  });
});

describeAsRoot('where nothing is missing', () => {
  test('dataplaneChoice chooses the kernel data plane and says why', () => {
    expect(dataplaneChoice('auto')).toEqual({
      dataplane: 'kernel',
      reason: 'Linux, root and the required tools are available',
    });
    expect(dataplaneChoice('kernel')).toEqual({ dataplane: 'kernel', reason: 'as requested' });
  });
});

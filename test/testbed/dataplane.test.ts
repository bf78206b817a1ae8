import { expect, test } from 'vitest';
import { dataplaneChoice } from '../../src/testbed/dataplane.ts';
import { describeAsRoot } from '../support/privileges.ts';

function attempt(wanted: 'auto' | 'kernel' | 'userspace') {
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

test('the userspace data plane is refused until it exists', () => {
  expect(attempt('userspace')).toThrow(
    expect.objectContaining({
      code: 'unsupported',
      message: 'the userspace data plane is not available yet',
      hint: 'use --dataplane kernel, on Linux as root',
    }),
  );
});

test('the error says what the kernel data plane lacks', () => {
  const hint = 'run on Linux as root with iproute2 and util-linux; the userspace data plane is not available yet';
  elsewhere({ platform: 'darwin' }, () => {
    expect(attempt('auto')).toThrow(
      expect.objectContaining({ code: 'unsupported', message: 'the kernel data plane needs Linux', hint }),
    );
  });
  elsewhere({ uid: 1000 }, () => {
    expect(attempt('kernel')).toThrow(
      expect.objectContaining({
        code: 'unsupported',
        message: expect.stringMatching(/^the kernel data plane needs root/),
        hint,
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

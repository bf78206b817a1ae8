import { describe, expect, it } from 'vitest';
import { parseMethod, parseParams } from '../../src/vsys/params.ts';

const route = { op: 'vroute', action: 'add', prefix: '10.65.0.0/24', nexthopId: 5 };
const target = { name: 'r1', to: '10.0.0.2' };
const watch = { id: 'w', from: '10.0.0.1', intervalMs: 500, timeoutMs: 500, targets: [target] };

describe('parseParams', () => {
  it('parseParams fills in defaults', () => {
    expect(parseParams('apply', { operations: [route] })).toEqual({
      operations: [{ ...route, type: 'unicast', nexthops: [] }],
      dryRun: false,
      repair: false,
    });
    expect(parseParams('stream_report', { stream: 'a' })).toEqual({ stream: 'a', close: false });
    expect(parseParams('watch', watch)).toEqual(watch);
  });

  it.each([
    ['apply', {}, 'apply: operations: Invalid input: expected array, received undefined'],
    ['apply', undefined, 'apply: Invalid input: expected object, received undefined'],
    ['apply', null, 'apply: Invalid input: expected object, received null'],
    ['apply', { operations: [], force: true }, 'apply: Unrecognized key: "force"'],
    ['apply', { operations: [route, 5] }, 'apply: operations[1].op: unknown operation undefined'],
    ['apply', { operations: [null] }, 'apply: operations[0].op: unknown operation undefined'],
    ['apply', { operations: [{ op: 'reboot' }] }, 'apply: operations[0].op: unknown operation "reboot"'],
    [
      'apply',
      { operations: [route, { ...route, prefix: 'x; reboot' }] },
      'apply: operations[1].prefix: Invalid IPv4 range',
    ],
    [
      'apply',
      { operations: [{ ...route, nexthops: [{ interface: 'a', weight: 0 }] }] },
      'apply: operations[0].nexthops[0].weight: Too small: expected number to be >=1',
    ],
    [
      'apply',
      { operations: [{ op: 'tunnel_up', kind: 'gre', interface: 'a' }] },
      "apply: operations[0].kind: Invalid discriminator value. Expected 'vxlan' | 'udp' | 'local'",
    ],
    [
      'apply',
      { operations: [{ op: 'tunnel_down', interface: '$(reboot)' }] },
      'apply: operations[0].interface: Invalid string: must match pattern /^[a-z0-9][a-z0-9.-]{0,14}$/',
    ],
    ['reach', { from: '10.0.0.1', to: [], timeoutMs: 5 }, 'reach: to: Too small: expected array to have >=1 items'],
    [
      'watch',
      { ...watch, targets: [target, { ...target, name: '-batch' }] },
      'watch: targets[1].name: Invalid string: must match pattern /^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}$/',
    ],
    ['watch', { ...watch, targets: [target, target] }, 'watch: targets: two targets have the same name'],
    ['watch', { ...watch, intervalMs: 49 }, 'watch: intervalMs: Too small: expected number to be >=50'],
    [
      'watch',
      { ...watch, targets: Array.from({ length: 4097 }, (_, k) => ({ ...target, name: `r${k}` })) },
      'watch: targets: Too big: expected array to have <=4096 items',
    ],
    ['clock', { now: true }, 'clock: Unrecognized key: "now"'],
    ['utc', { ntpServers: ['192.0.2.1:123', 'a b'] }, 'utc: ntpServers[1]: not HOST or HOST:PORT'],
    ['utc', { ntpServers: [...'abcdefghi'] }, 'utc: ntpServers: Too big: expected array to have <=8 items'],
  ] as const)('parseParams names the path of the invalid field of %s %j', (method, params, message) => {
    expect(() => parseParams(method, params)).toThrow(expect.objectContaining({ code: 'invalid-input', message }));
  });

  it('parseParams stops at the first of a million invalid operations', () => {
    const operations = Array.from({ length: 1_000_000 }, () => ({ op: 'reboot' }));
    expect(() => parseParams('apply', { operations })).toThrow(
      expect.objectContaining({ message: 'apply: operations[0].op: unknown operation "reboot"' }),
    );
  });
});

describe('parseMethod', () => {
  it('an error about an unknown method contains no control characters', () => {
    expect(() => parseMethod('\u0080e\u007fach\u009b\n')).toThrow('unknown method "?e?ach?\\n"');
  });

  it.each(['reboot', 'constructor', '__proto__', ''])('parseMethod refuses %j', (method) => {
    expect(() => parseMethod(method)).toThrow(
      expect.objectContaining({ code: 'invalid-input', message: `unknown method ${JSON.stringify(method)}` }),
    );
  });
});

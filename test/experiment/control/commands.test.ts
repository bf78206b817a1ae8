import { expect, it } from 'vitest';
import { readTimed, redirectCommand } from '../../../src/experiment/control/commands.ts';

it('reads when a redirection began and ended, in Unix ms', () => {
  const done = readTimed('gw1', '1796070420051576578 1796070420571049463 0\n', '');
  expect(done.startedAt).toBeCloseTo(1796070420051.577, 2);
  expect(done.finishedAt).toBeCloseTo(1796070420571.049, 2);
});

it.each([
  ['failed', '1796070420051576578 1796070420571049463 2\n', 'RTNETLINK answers: Invalid argument\n'],
  ['did not end', '', 'RTNETLINK answers: Invalid argument\n'],
])('says why a redirection %s', (_what, printed, said) => {
  const message = "the redirection at node 'gw1' failed: RTNETLINK answers: Invalid argument";
  expect(() => readTimed('gw1', printed, said)).toThrow(expect.objectContaining({ code: 'failed', message }));
});

it.each([
  ['0', 'ip nexthop replace id 5 group 6 && ip nexthop replace id 7 group 8'],
  ['1000', "sudo -n sh -c 'ip nexthop replace id 5 group 6 && ip nexthop replace id 7 group 8'"],
])('changes nexthops as root, also for the login with id %s', (user, command) => {
  expect(redirectCommand(['nexthop replace id 5 group 6\n', 'nexthop replace id 7 group 8\n'], user)).toBe(command);
});

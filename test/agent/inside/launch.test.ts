import { expect, it } from 'vitest';
import { captureWords, launchEnvironment, launchWords } from '../../../src/agent/inside/launch.ts';
import { parsePasswd } from '../../../src/agent/inside/login.ts';

const login = { name: 'slicer', uid: 1001, gid: 1002, home: '/home/slicer' };

it('root runs a command in the namespace and as it is given', () => {
  expect(launchWords('pv-a_0-x', 'root', ['ip', '-s', 'link'])).toEqual(
    'nsenter --net=/run/netns/pv-a_0-x -- setpriv --pdeathsig=KILL -- ip -s link'.split(' '),
  );
});

it('without a namespace a command runs in the network of the node', () => {
  expect(launchWords(undefined, 'root', ['id'])).toEqual(['setpriv', '--pdeathsig=KILL', '--', 'id']);
  expect(launchWords(undefined, login, ['id'])[0]).toBe('prlimit');
});

it('a login runs a command without any privileges, and can get none', () => {
  const words = launchWords('pv-a_0-x', login, ['id']).join(' ');
  expect(words).toContain(
    'setpriv --reuid=1001 --regid=1002 --init-groups --no-new-privs --inh-caps=-all --ambient-caps=-all --bounding-set=-all,+net_raw --pdeathsig=KILL -- id',
  );
  expect(words).toMatch(/^nsenter --net=\/run\/netns\/pv-a_0-x -- prlimit --core=0 --nproc=\d+ /);
});

it('a program that captures for a login may open packet sockets and nothing else', () => {
  const words = launchWords('pv-a_0-x', login, captureWords({ interface: 'pv001-0l0a', snaplen: 100, count: 5 }), {
    raw: true,
  });
  const own = words.slice(words.indexOf('setpriv'));
  expect(own.filter((word) => /caps=|bounding/.test(word))).toEqual([
    '--inh-caps=-all,+net_raw',
    '--ambient-caps=-all,+net_raw',
    '--bounding-set=-all,+net_raw',
  ]);
  expect(own.slice(own.indexOf('--') + 1).join(' ')).toBe(
    'tcpdump -i pv001-0l0a -s 100 -c 5 --time-stamp-precision=nano -n -p -U -w -',
  );
});

it("the environment has nothing of the agent's but the search path and the language", () => {
  const own = { PATH: '/bin', LANG: 'C.UTF-8', HOME: '/root', NODE_OPTIONS: '--x', PL_VNM_DIR: '/srv', LC_ALL: 'C' };
  expect(launchEnvironment(login, own)).toEqual({
    PATH: '/bin',
    LANG: 'C.UTF-8',
    HOME: '/home/slicer',
    USER: 'slicer',
    LOGNAME: 'slicer',
  });
  expect(launchEnvironment('root', { PATH: '/bin' })).toEqual({
    PATH: '/bin',
    HOME: '/root',
    USER: 'root',
    LOGNAME: 'root',
  });
});

it('a line of passwd is read, and nothing else', () => {
  expect(parsePasswd('slicer:x:1001:1002:A slice,,,:/home/slicer:/bin/sh\n')).toEqual(login);
  expect(parsePasswd('a:x:1:2:::/bin/sh')).toEqual({ name: 'a', uid: 1, gid: 2, home: '' });
  for (const line of ['', 'slicer', 'slicer:x:-1:1002::/:/bin/sh', 'a:x:1:2:::\nb:x:0:0:::']) {
    expect(parsePasswd(line)).toBeUndefined();
  }
});

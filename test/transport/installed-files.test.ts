import { describe, expect, it } from 'vitest';
import { parseAdminSurvey } from '../../src/transport/admin-survey.ts';
import { attachScript, ruleText } from '../../src/transport/installed-files.ts';
import { loginPattern, loginsOf } from '../../src/vsys/sudo-rule.ts';

describe('the files on a shared node', () => {
  it('the sudo rule allows one command without arguments', () => {
    expect(
      ruleText('/usr/local/lib/pl-vnm', 'office', 'vnm'),
    ).toBe(`# Made by pl-vnm agent install: the login of slice 'office' may attach to the slice's agent.
Defaults!/usr/local/lib/pl-vnm/attach-office env_reset, !setenv, !requiretty
vnm ALL=(root) NOPASSWD: NOSETENV: /usr/local/lib/pl-vnm/attach-office ""
`);
  });

  it('the rule says who the login is', () => {
    expect(loginsOf(ruleText('/usr/local/lib/pl-vnm', 'office', 'vnm'))).toEqual(['vnm']);
  });

  it('the command sets a directory, a core limit and an environment', () => {
    const lib = '/usr/local/lib/pl-vnm';
    const lines = attachScript({ lib }, 'office', '/usr/bin/node', 'agent-0a.mjs').split('\n');
    expect(lines[2]).toBe('cd / && umask 022 && ulimit -c 0 || exit');
    expect(lines[3]).toBe(
      'exec /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/bin/node /usr/local/lib/pl-vnm/agent-0a.mjs attach --slice office',
    );
    expect(attachScript({ lib: '/srv/lib', directory: '/srv' }, 'office', '/srv/lib/node', 'agent-0a.mjs')).toContain(
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin PL_VNM_DIR=/srv /srv/lib/node /srv/lib/agent-0a.mjs attach --slice office\n',
    );
  });

  it.each(['vnm', 'a-b.c_D9', '_vnm'])('the login %s is allowed', (login) => expect(login).toMatch(loginPattern));
  it.each(['ALL', 'OPERATORS', '%sudo', '+group', '#0', '', 'a b', 'a,b', 'a\nb', '!a', '-a', 'a\\b', 'a@b'])(
    'the login "%s" is refused',
    (login) => expect(login).not.toMatch(loginPattern),
  );
});

describe('the survey of an administrator', () => {
  const policy = {
    slice: 'office',
    vnet: '10.65.0.0/16',
    interfacePrefix: 'pv001-',
    namespacePrefix: 'pv-office_',
    table: 50_001,
    rulePriority: 10_001,
    nexthops: { first: 65_536, last: 131_071 },
    vnis: { first: 4096, last: 8191 },
  };
  const text = [
    'Welcome!',
    'pl-vnm lacks visudo',
    'pl-vnm uid 1001',
    'pl-vnm unsafe /usr/local',
    'pl-vnm unsafe /usr/local',
    'pl-vnm runtime v18.1.0 /usr/bin/node',
    'pl-vnm runtime v24.1.0 /opt/node',
    `pl-vnm policy ${JSON.stringify(policy, null, 2).replaceAll('\n', '\x1f')}`,
    'pl-vnm policy {',
    'pl-vnm command #!/bin/sh\x1fexec it\x1f',
    'pl-vnm has socket',
    'pl-vnm done survey',
  ];

  it('the answer is found between the output of login scripts', () => {
    expect(parseAdminSurvey(text.join('\n'))).toEqual({
      uid: 1001,
      lacks: ['visudo'],
      unsafe: ['/usr/local'],
      runtime: '/opt/node',
      oldRuntimes: ['18.1.0'],
      policies: [expect.objectContaining(policy)],
      command: '#!/bin/sh\nexec it\n',
      hasSocket: true,
    });
  });

  it('an incomplete answer is refused', () => {
    expect(parseAdminSurvey(text.slice(0, -1).join('\n'))).toBeUndefined();
  });
});

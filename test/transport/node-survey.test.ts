import { describe, expect, it } from 'vitest';
import { parseSurvey } from '../../src/transport/node-survey.ts';

const complete = [
  'pl-vnm root sudo',
  'pl-vnm lib /usr/local/lib/pl-vnm',
  'pl-vnm policyDirectory /etc/pl-vnm/policy',
  'pl-vnm system Linux x86_64',
  'pl-vnm runtime v18.20.1 /usr/bin/node',
  'pl-vnm runtime v22.1.0 /usr/local/lib/pl-vnm/node',
  'pl-vnm has agent',
  'pl-vnm done survey',
];

describe('the survey of a node', () => {
  it('the survey is found between the output of login scripts', () => {
    expect(parseSurvey(['Welcome!', 'lib=/evil', ...complete, 'bye'].join('\n'))).toEqual({
      root: 'sudo',
      lib: '/usr/local/lib/pl-vnm',
      policyDirectory: '/etc/pl-vnm/policy',
      system: 'Linux x86_64',
      runtime: '/usr/local/lib/pl-vnm/node',
      oldRuntimes: ['18.20.1'],
      hasAgent: true,
      hasSocket: false,
      hasGzip: false,
    });
  });

  it.each(['root', 'lib', 'policyDirectory', 'system', 'done'])('a survey without %s is refused', (key) => {
    expect(parseSurvey(complete.filter((line) => !line.startsWith(`pl-vnm ${key}`)).join('\n'))).toBeUndefined();
  });

  it('a survey may report a rule of the administrator’s, and its agent', () => {
    const lines = [
      'pl-vnm root rule',
      `pl-vnm installed ${'a'.repeat(64)}`,
      'pl-vnm directory /srv/vnm',
      ...complete.slice(1),
    ];
    expect(parseSurvey(lines.join('\n'))).toMatchObject({
      root: 'rule',
      installed: 'a'.repeat(64),
      directory: '/srv/vnm',
    });
    expect(parseSurvey(lines.join('\n').replace('/srv/vnm', '/srv; reboot'))).not.toHaveProperty('directory');
  });

  it.each(['relative/lib', '/lib; rm -rf /', '/lib$(id)', "/lib'", '/lib dir', '/', ''])(
    'a survey never contains the path "%s"',
    (path) => {
      const text = complete.join('\n');
      expect(parseSurvey(text.replace('/usr/local/lib/pl-vnm\n', `${path}\n`))).toBeUndefined();
      expect(parseSurvey(text.replace('v22.1.0 /usr/local/lib/pl-vnm/node', `v22.1.0 ${path}`))).not.toHaveProperty(
        'runtime',
      );
    },
  );
});

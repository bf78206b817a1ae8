import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { remoteCommand } from '../../src/transport/remote-command.ts';

const everyByteButZero = String.fromCharCode(...Array.from({ length: 127 }, (_, index) => index + 1));
const hostile = [
  'two  words ',
  "it's",
  `"`,
  '$HOME $' + '{HOME} $(id) `id`',
  'a\nb\n',
  '\\0101 \\n %s %%',
  '',
  '-n',
  '!!',
  '*',
  '~',
  'ä€😀',
  everyByteButZero,
];

/** The login shells that this machine has. */
const shells = ['sh', 'dash', 'bash', 'zsh', 'fish', 'tcsh', 'csh', 'ksh'].filter(
  (shell) => spawnSync(shell, ['-c', 'true']).status === 0,
);

/** The arguments that a program gets when the shell runs the line. */
function receivedBy(shell: string, words: readonly string[]): unknown {
  const program = [process.execPath, '-e', 'console.log(JSON.stringify(process.argv.slice(1)))', '--'];
  return JSON.parse(execFileSync(shell, ['-c', remoteCommand([...program, ...words], 'm1')], { encoding: 'utf8' }));
}

describe('a command for a remote shell', () => {
  it.each(shells)('gives the program its arguments unchanged in %s', (shell) => {
    expect(receivedBy(shell, hostile)).toEqual(hostile);
  });

  it('runs nothing between the login shell and the program, and marks it', () => {
    const script = 'console.log(process.env.PL_VNM_EXEC, require("fs").readFileSync("/proc/self/cmdline", "utf8")[0])';
    const line = `exec ${remoteCommand([process.execPath, '-e', script], 'm2')}`;
    expect(execFileSync('sh', ['-c', line], { encoding: 'utf8' })).toBe('m2 /\n');
  });

  it('shows a login shell only characters that mean the same to all', () => {
    const line = remoteCommand(hostile, 'm3');
    const argument = /' sh '(.*)'$/.exec(line)![1]!;
    expect(argument).toMatch(/^[A-Za-z0-9_./=:,@%+ \\-]*$/);
  });

  it.each([
    ['an empty name', [''], "'' is not the name of a program"],
    ['an option', ['-c', 'true'], "'-c' is not the name of a program"],
    ['a zero byte', ['echo', 'a\0b'], 'a command cannot contain a zero byte'],
    [
      'too much',
      ['echo', 'x'.repeat(32_000)],
      /^the command has 32\d{3} bytes in its form for SSH; at most 32000 fit$/,
    ],
  ])('refuses %s', (_what, words, message) => {
    expect(() => remoteCommand(words, 'm4')).toThrow(message);
  });
});

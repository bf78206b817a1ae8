import { expect, it } from 'vitest';
import { missingProgram, runSteps, runTogether } from '../../src/agent/run-steps.ts';

it('one shell runs several commands, each with its own input, output and exit code', async () => {
  const { done, shell } = await runSteps([
    { words: ['cat'], stdin: "it's $HOME `here`\n" },
    { words: ['sh', '-c', 'echo out; echo err >&2; exit 3'] },
    { words: ['printf', '%s', "no line's end"] },
    { words: ['no-such-program-at-all'] },
    { words: ['cat'], stdin: 'no end of line' },
  ]);
  expect(done.map(({ code }) => code)).toEqual([0, 3, 0, missingProgram, 0]);
  expect(done.map(({ stdout }) => stdout)).toEqual([
    "it's $HOME `here`\n",
    'out\n',
    "no line's end",
    '',
    'no end of line\n',
  ]);
  expect(done[1]!.stderr).toBe('err\n');
  expect(done[3]!.stderr).toContain('no-such-program-at-all');
  expect(shell).toEqual({ code: 0, stdout: '', stderr: '' });
});

it('a shell that does not read its script ran no steps, and says why', async () => {
  const { done, shell } = await runSteps([{ words: ['true'] }], ['sh', '-c', 'echo no >&2; exit 9']);
  expect([done, shell]).toEqual([[], { code: 9, stdout: '', stderr: 'no\n' }]);
});

it('commands of the same moment share a shell, and others do not', async () => {
  const parent = ['sh', '-c', 'echo $PPID'];
  const [one, two] = await Promise.all([runTogether(parent), runTogether(parent)]);
  const later = await runTogether(parent);
  expect(one!.stdout).toBe(two!.stdout);
  expect(later.stdout).not.toBe(one!.stdout);
});

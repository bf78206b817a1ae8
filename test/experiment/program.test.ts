import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeProgram, findVersion, isSameProgram } from '../../src/experiment/results/program.ts';
import { temporaryResults } from './support/files.ts';

/** A checkout with one file, and what writes it. */
function checkout(): { root: string; write: (text: string) => void } {
  const root = temporaryResults();
  const git = (...words: string[]) => execFileSync('git', ['-C', root, ...words], { stdio: 'ignore' });
  const write = (text: string) => writeFileSync(join(root, 'program'), text);
  write('one\n');
  git('init');
  git('add', 'program');
  git('-c', 'user.name=test', '-c', 'user.email=test@localhost', 'commit', '--no-gpg-sign', '-m', 'Begin');
  return { root, write };
}

it('tells different changes of one commit apart', () => {
  const { root, write } = checkout();
  const clean = findVersion(root);
  expect(clean).toMatchObject({ commit: expect.stringMatching(/^[0-9a-f]{40}$/), modified: false });
  write('two\n');
  const two = findVersion(root);
  write('three\n');
  const three = findVersion(root);
  expect(two).toMatchObject({ commit: clean.commit, modified: true });
  expect(isSameProgram(clean, two)).toBe(false);
  expect(isSameProgram(two, three)).toBe(false);
  expect(describeProgram(two)).not.toBe(describeProgram(three));
  write('two\n');
  expect(isSameProgram(two, findVersion(root))).toBe(true);
  write('one\n');
  expect(findVersion(root)).toEqual(clean);
});

it('knows changes that are larger than what a process usually prints', () => {
  const { root, write } = checkout();
  write('more\n'.repeat(300_000));
  expect(findVersion(root).changes).toMatch(/^[0-9a-f]{64}$/);
});

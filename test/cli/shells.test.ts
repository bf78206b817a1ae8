/** The completion scripts in the shells that they are for. */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { scripts } from '../../src/cli/completion/scripts.ts';
import { compiled } from '../support/command-line.ts';
import { builtProgram } from '../support/program.ts';
import { describeWithoutRoot } from '../support/programs.ts';
import { gallery } from '../support/slices.ts';

/** A directory with slice files, a file that is none, and the program in `bin`. */
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'pl-vnm-shells-'));
  mkdirSync(join(directory, 'bin'));
  const program = join(directory, 'bin/pl-vnm');
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${builtProgram()}' "$@"\n`);
  chmodSync(program, 0o755);
  copyFileSync(gallery('overlap'), join(directory, 'overlap.yaml'));
  writeFileSync(join(directory, 'my notes.txt'), '');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function run(shell: string, args: readonly string[], script: string): string[] {
  const env = {
    PATH: `${join(directory, 'bin')}:${process.env.PATH}`,
    HOME: directory,
    NODE_COMPILE_CACHE: compiled,
    LC_ALL: 'C.UTF-8',
  };
  const text = execFileSync(shell, [...args, script], { cwd: directory, env, encoding: 'utf8' });
  return text.split('\n').filter((line) => line !== '');
}

describeWithoutRoot('bash', 'completion in bash', () => {
  /** What bash would offer for the words of a line, which it splits at equals signs. */
  const offered = (...words: string[]) => {
    const line = words.map((word) => `'${word}'`).join(' ');
    const script = `${scripts.bash}\nCOMP_WORDS=(pl-vnm ${line}); COMP_CWORD=${words.length}; _pl_vnm; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return run('bash', ['--norc', '--noprofile', '-c'], script);
  };

  it('offers commands, options, choices, placements and files', () => {
    expect(offered('migr')).toEqual(['migrate']);
    expect(offered('status', '--l')).toEqual(['--live']);
    expect(offered('install', '--urpf', '=', 'l')).toEqual(['loose']);
    expect(offered('install', '--urpf', '=')).toEqual(['strict', 'feasible', 'loose']);
    expect(offered('plan', 'overlap.yaml', '--to', '')).toEqual(['initial', 'final']);
    expect(offered('validate', '').toSorted()).toEqual(['bin', 'overlap.yaml']);
    expect(offered('import', 'my')).toEqual(['my notes.txt']);
    expect(offered('show', '')).toEqual([]);
  });
});

describeWithoutRoot('zsh', 'completion in zsh', () => {
  /** What the script gives to the completion system of zsh, whose functions only print here. */
  const offered = (...words: string[]) => {
    const line = words.map((word) => `'${word}'`).join(' ');
    const stubs = [
      'compdef() { : }',
      `_describe() { print -rl -- "\${(@P)2}" }`,
      '_files() { print -r -- "files $*" }',
    ];
    const script = `${stubs.join('\n')}\n${scripts.zsh}\nwords=(pl-vnm ${line}); CURRENT=$(( ${words.length} + 1 )); _pl-vnm`;
    return run('zsh', ['-f', '-c'], script);
  };

  it('offers commands with their descriptions, options, choices, placements and files', () => {
    expect(offered('migr')).toEqual([expect.stringMatching(/^migrate:\w/)]);
    expect(offered('install', '--urpf=l')).toEqual(['--urpf=loose']);
    expect(offered('plan', 'overlap.yaml', '--to', '')).toEqual(['initial', 'final']);
    expect(offered('validate', '')).toEqual(['files -g *.(yaml|yml)']);
    expect(offered('import', 'my')).toEqual(['files ']);
    // A colon of a word or a description does not end the word.
    expect(offered('demo', '--he')).toEqual([expect.stringMatching(/^--help:/)]);
  });
});

describeWithoutRoot('fish', 'completion in fish', () => {
  const offered = (line: string) => {
    return run('fish', ['--no-config', '-c'], `${scripts.fish}\ncomplete --do-complete '${line}'`);
  };

  it('offers commands with their descriptions, options, choices, placements and files', () => {
    expect(offered('pl-vnm migr')).toEqual([expect.stringMatching(/^migrate\t\w/)]);
    expect(offered('pl-vnm status --l')).toEqual([expect.stringMatching(/^--live\t/)]);
    expect(offered('pl-vnm install --urpf=l')).toEqual(['--urpf=loose']);
    expect(offered('pl-vnm plan overlap.yaml --to ')).toEqual(['final', 'initial']);
    expect(offered('pl-vnm validate over')).toEqual([expect.stringMatching(/^overlap\.yaml/)]);
    expect(offered('pl-vnm import my')).toEqual([expect.stringMatching(/^my\\? notes\.txt/)]);
    expect(offered('pl-vnm show ')).toEqual([]);
  });
});

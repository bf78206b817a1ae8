import { describe, expect, it } from 'vitest';
import { type Completion, complete, type Names } from '../../src/cli/completion/complete.ts';
import { namesIn } from '../../src/cli/completion/names.ts';
import { createProgram } from '../../src/cli/program.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { gallery } from '../support/slices.ts';
import { temporaryStore } from '../support/temporary-store.ts';

const some: Names = {
  slices: () => ['campus', 'two'],
  jobs: () => ['nightly'],
  of: (slice, kind) => [`${kind} of ${slice ?? 'all'}`],
};

/** Completes a line; what stands after the last space is the word to complete. */
function completed(line: string, names: Names = some, shell = 'zsh'): Completion {
  return complete(createProgram(), line.split(' '), names, shell);
}

const wordsFor = (line: string, names?: Names, shell?: string) =>
  completed(line, names, shell).candidates.map(({ word }) => word);

describe('completion', () => {
  it('the first word is a command, with its description', () => {
    const { candidates } = completed('');
    const known = createProgram().commands.map((command) => command.name());
    expect(candidates.map(({ word }) => word)).toEqual([...known, 'help']);
    expect(completed('gra').candidates).toEqual([
      { word: 'graph', description: expect.stringContaining('draw the VNs of a slice') },
    ]);
  });

  it('every option of every command is offered, and the options of the program', () => {
    const program = createProgram();
    for (const command of program.commands.filter(({ commands }) => commands.length === 0)) {
      const offered = wordsFor(`${command.name()} -`);
      const own = command.options.filter(({ hidden }) => !hidden).map(({ long }) => long);
      expect(offered).toEqual(expect.arrayContaining([...own, '--help', '--db', '--json']));
    }
    expect(wordsFor('status --l')).toEqual(['--live']);
  });

  it('an option that is there is not offered again, unless it may be', () => {
    expect(wordsFor('status --live --l')).toEqual([]);
    expect(wordsFor('graph x --placement a --pl')).toEqual(['--placement']);
  });

  it('choices of options and arguments are offered', () => {
    expect(wordsFor('install --urpf ')).toEqual(['strict', 'feasible', 'loose']);
    expect(wordsFor('install --urpf l')).toEqual(['loose']);
    expect(wordsFor('completion ')).toEqual(['bash', 'zsh', 'fish']);
  });

  it('a value after an equals sign is offered in the form that the shell replaces', () => {
    expect(wordsFor('install --urpf=l')).toEqual(['--urpf=loose']);
    expect(wordsFor('install --urpf = l', some, 'bash')).toEqual(['loose']);
    expect(wordsFor('install --urpf =', some, 'bash')).toEqual(['strict', 'feasible', 'loose']);
  });

  it('names of slices, placements, VNs, routers, nodes and jobs are offered where they belong', () => {
    expect(completed('status ')).toEqual({
      candidates: [
        { word: 'campus', description: '' },
        { word: 'two', description: '' },
      ],
      files: 'yaml',
    });
    expect(wordsFor('status c')).toEqual(['campus']);
    expect(wordsFor('migrate campus --to ')).toEqual(['placements of campus']);
    expect(wordsFor('migrate --to ')).toEqual(['placements of all']);
    expect(wordsFor('plan campus --to final --from ')).toEqual(['placements of campus']);
    expect(wordsFor('graph campus --placement a ')).toEqual(['placements of campus']);
    expect(wordsFor('install campus --vn ')).toEqual(['vns of campus']);
    expect(wordsFor('--db x --json migrate campus --router ')).toEqual(['routers of campus']);
    for (const line of [
      'exec campus ',
      'shell campus ',
      'capture campus ',
      'capture campus a --link ',
      'ping campus ',
    ]) {
      expect(wordsFor(line)).toEqual(['places of campus']);
    }
    expect(wordsFor('trace campus a ')).toEqual(['places of campus']);
    expect(wordsFor('agent install s.yaml --node ')).toEqual(['nodes of s.yaml']);
    expect(wordsFor('testbed link campus ')).toEqual(['nodes of campus']);
    expect(wordsFor('testbed link campus n1 ')).toEqual(['nodes of campus']);
    expect(wordsFor('testbed links campus n1 ')).toEqual(['nodes of campus']);
    expect(wordsFor('job add nightly --slice ')).toEqual(['campus', 'two']);
    expect(wordsFor('job pause ')).toEqual(['nightly']);
  });

  it('files are offered where they belong', () => {
    const filesFor = (line: string) => completed(line).files;
    expect(filesFor('validate ')).toBe('yaml');
    expect(filesFor('experiment run ')).toBe('yaml');
    expect(filesFor('import ')).toBe('any');
    expect(filesFor('import a b --update ')).toBe('yaml');
    expect(filesFor('--db ')).toBe('any');
    expect(filesFor('exec campus a -- ')).toBe('any');
    expect(filesFor('show ')).toBe('none');
  });

  it('subcommands have their own words, and after -- there are no options', () => {
    expect(wordsFor('testbed ')).toEqual(['up', 'link', 'links', 'down', 'status', 'help']);
    expect(wordsFor('testbed up --s')).toEqual(['--server']);
    expect(wordsFor('exec campus a -- -')).toEqual([]);
    expect(wordsFor('frobnicate ')).toEqual([]);
    expect(wordsFor('status campus more ')).toEqual([]);
  });
});

describe('the names of a database and of slice files', () => {
  it('come from both, and looking for them changes nothing', () => {
    const { store, remove } = temporaryStore();
    try {
      store.slices.save(readSlice(gallery('three-node')));
      store.slices.save(readSlice(gallery('shared-nodes')));
      const names = namesIn(store.path);
      expect(names.slices()).toEqual(['shared', 'three']);
      expect(names.jobs()).toEqual([]);
      expect(names.of('three', 'placements')).toEqual(['initial', 'final']);
      expect(names.of('shared', 'vns')).toEqual(['red', 'blue']);
      expect(names.of('three', 'places')).toEqual(['a', 'b', 'c', 'ga', 'gb', 'gc', 'ea', 'eb', 'ec']);
      expect(names.of(gallery('overlap'), 'routers')).toEqual(['a', 'b', 'c', 'd']);
      expect(names.of(undefined, 'vns')).toEqual(['red', 'blue', 'three']);
      expect(names.of('nowhere', 'vns')).toEqual(['red', 'blue', 'three']);
    } finally {
      remove();
    }
  });

  it.each(['/nowhere/x.db', '/dev/null', gallery('overlap')])('there are none in %s', (path) => {
    const names = namesIn(path);
    expect([names.slices(), names.jobs(), names.of('x', 'vns'), names.of('/nowhere/s.yaml', 'vns')]).toEqual([
      [],
      [],
      [],
      [],
    ]);
  });
});

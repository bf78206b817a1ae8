/** The place of a testbed's files: next to its database, unless nodes could not have theirs there. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readSlice } from '../../src/slicefile/index.ts';
import { placeOf } from '../../src/testbed/manage.ts';
import { type CommandLine, commandLine } from '../support/command-line.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { gallery } from '../support/slices.ts';

const slices = [readSlice(gallery('two-node'))];

it.each(['/home/ann/lab/pl-vnm.db.testbed/abcde', '/tmp/x@1/v1.2+3/x%20y/a-b'])(
  'a testbed may be in %s',
  (directory) => {
    expect(placeOf(directory, slices)).toBe(directory);
  },
);

it.each([
  ['a space', '/home/ann/my lab/pl-vnm.db.testbed/abcde'],
  ['letters beyond ASCII', '/home/ann/Prüfstand/pl-vnm.db.testbed/abcde'],
  ['characters that a shell interprets', "/home/ann/lab'$(x)/pl-vnm.db.testbed/abcde"],
  ['too long a name for sockets', `/home/ann/${'x'.repeat(70)}/pl-vnm.db.testbed/abcde`],
])('a testbed cannot be in a directory with %s', (_, directory) => {
  expect(placeOf(directory, slices)).toBeUndefined();
});

describeAsRoot('a database in a directory with an odd name', () => {
  it('a database in a directory with an odd name has a working testbed, of which nothing is left', async () => {
    const base = mkdtempSync(join(tmpdir(), 'pl-vnm place ü '));
    const vnm: CommandLine = commandLine(join(base, 'x'.repeat(60)));
    try {
      const { id } = await vnm.ok<{ id: string }>('testbed up', gallery('two-node'));
      expect(await vnm.ok('install two')).toMatchObject({ vns: [{ placement: 'initial' }] });
      expect(await vnm.ok('testbed down')).toEqual({ removed: [id] });
    } finally {
      await vnm.run('testbed down');
      rmSync(base, { recursive: true });
    }
  });
});

/** The session that docs/commands.md shows, on a testbed of its own: the same commands print lines of the same form. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { examplesOf, formOf, root, stepsOf } from '../docs/examples.ts';
import { compiled, environment } from '../support/command-line.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { builtProgram } from '../support/program.ts';

const session = examplesOf('docs/commands.md').filter(({ kind }) => kind === 'console session');
const steps = session.flatMap(({ text }) => stepsOf(text));

/** Of the testbed on the page, which is in the names of namespaces. */
const shownId = /testbed (\w+) is up/.exec(steps[0]!.output.join('\n'))![1]!;

describeAsRoot('docs/commands.md', () => {
  let directory: string;
  let id = shownId;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'pl-vnm-session-'));
    mkdirSync(join(directory, 'bin'));
    symlinkSync(join(root, 'slices'), join(directory, 'slices'));
    const program = `#!/bin/sh\nexec ${process.execPath} ${builtProgram()} "$@"\n`;
    writeFileSync(join(directory, 'bin/pl-vnm'), program, { mode: 0o755 });
  });

  afterAll(async () => {
    await run('pl-vnm testbed down');
    rmSync(directory, { recursive: true });
  });

  /** What a shell prints on stdout. */
  function run(command: string): Promise<string[]> {
    const inherited = environment();
    const PATH = `${directory}/bin:${inherited.PATH}`;
    const env = { ...inherited, PATH, HOME: directory, NODE_COMPILE_CACHE: compiled };
    return new Promise((resolve) => {
      execFile('sh', ['-c', command], { cwd: directory, env }, (error, stdout) => {
        const end = error === null ? [] : [`[exit code ${error.code}]`];
        resolve([...stdout.trimEnd().split('\n'), ...end]);
      });
    });
  }

  it.each(steps)('$command prints what docs/commands.md shows', async ({ command, output }) => {
    const printed = await run(command.replaceAll(shownId, id));
    id = /testbed (\w+) is up/.exec(printed.join('\n'))?.[1] ?? id;
    expect(formOf(printed, id)).toEqual(formOf(output, shownId));
  });
});

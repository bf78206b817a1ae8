/** What `npm run demo` runs prints what README.md and docs/getting-started.md show of it. */
import { afterAll, expect, it } from 'vitest';
import { examplesOf, formOf } from '../docs/examples.ts';
import { commandLine } from '../support/command-line.ts';
import { describeAsRoot } from '../support/privileges.ts';

const shown = ['README.md', 'docs/getting-started.md'].flatMap((page) =>
  examplesOf(page).flatMap(({ kind, text }) => (kind === 'text' ? text.trimEnd().split('\n') : [])),
);

describeAsRoot('the demo', () => {
  const vnm = commandLine();
  afterAll(() => vnm.remove());

  it('prints lines of the form that the pages show', async () => {
    const { code, stdout } = await vnm.run('demo');
    expect(code).toBe(0);
    const printed = new Set(formOf(stdout.split('\n')));
    const missing = formOf(shown.filter((line) => line !== '[...]')).filter((line) => !printed.has(line));
    expect(missing).toEqual([]);
  });
});

import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { manPage } from '../../src/cli/man.ts';
import { createProgram } from '../../src/cli/program.ts';
import { exitCodes } from '../../src/model/exit-codes.ts';
import { describeWithoutRoot } from '../support/programs.ts';

const page = manPage(createProgram());

describe('the manual page', () => {
  it('has every command with its options, and every exit code', () => {
    const program = createProgram();
    for (const command of program.commands.filter(({ commands }) => commands.length === 0)) {
      expect(page).toMatch(new RegExp(`^\\.SS "${command.name()}[ "]`, 'm'));
      for (const { flags, hidden } of command.options) {
        if (!hidden) expect(page).toContain(`.B ${flags.replaceAll('-', '\\-')}\n`);
      }
    }
    expect(page).toContain('.SS "testbed up <slice.yaml...>"');
    for (const code of Object.values(exitCodes)) expect(page).toContain(`.B ${code}\n`);
    expect(page).toContain('.B PL_VNM_DB\n');
  });

  it('has no line that begins like a request by chance', () => {
    for (const line of page.split('\n')) expect(line).not.toMatch(/^(\.(?!TH |SH |SS |TP$|B |I |RI )|')/);
  });

  it('is the same every time', () => {
    expect(manPage(createProgram())).toBe(page);
  });
});

describeWithoutRoot('groff', 'the manual page for groff', () => {
  it('groff formats it without a warning', () => {
    // As plain text, without what makes it bold.
    const words = ['-man', '-Tutf8', '-ww', '-rLL=100n', '-P-cbou'];
    const { stdout: text, stderr, status } = spawnSync('groff', words, { input: page, encoding: 'utf8' });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    expect(text).toContain('--accept-new-host-keys');
    expect(text).toMatch(/graph <slice>\n\s+Draw the VNs of a slice/);
  });
});

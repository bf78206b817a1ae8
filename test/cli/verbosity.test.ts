import { Command } from 'commander';
import { afterEach, expect, it, vi } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { reportsOf } from '../../src/cli/run.ts';

afterEach(() => vi.restoreAllMocks());

/** The stderr of a command that reports a phase and a request to a node. */
function saidWith(...options: string[]): string {
  let said = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += text;
    return true;
  });
  const program = createProgram();
  program.addCommand(
    new Command('probe').action((_options: unknown, command: Command) => {
      const { report, detail } = reportsOf(command);
      report({ kind: 'phase', text: 'clone' });
      detail?.('gw1 <- clock {}');
    }),
  );
  program.parse([...options, 'probe'], { from: 'user' });
  return said.replace(/\d\d:\d\d:\d\d\.\d{3}/, 'TIME');
}

it('progress goes to stderr, with details for --verbose, and nowhere for --quiet', () => {
  expect(saidWith()).toBe('- clone\n');
  for (const option of ['-v', '--verbose']) expect(saidWith(option)).toBe('- clone\n    TIME gw1 <- clock {}\n');
  for (const option of ['-q', '--quiet']) expect(saidWith(option)).toBe('');
});

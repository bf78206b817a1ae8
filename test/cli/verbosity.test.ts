import { Command } from 'commander';
import { afterEach, expect, it, vi } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { reportsOf } from '../../src/cli/run.ts';

afterEach(() => vi.restoreAllMocks());

/** What is on stderr of a phase and of a request to a node. */
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

it('progress is on stderr, more of it with --verbose, none with --quiet', () => {
  expect(saidWith()).toBe('- clone\n');
  for (const option of ['-v', '--verbose']) expect(saidWith(option)).toBe('- clone\n    TIME gw1 <- clock {}\n');
  for (const option of ['-q', '--quiet']) expect(saidWith(option)).toBe('');
});

it('--verbose and --quiet are not for the same command', () => {
  expect(() => saidWith('-v', '-q')).toThrow("option '-q, --quiet' cannot be used with option '-v, --verbose'");
});

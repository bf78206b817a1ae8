import { describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';

interface Parsed {
  readonly slice: string;
  readonly host: string;
  readonly words: string[];
  readonly options: { vn?: string; json: boolean };
}

function parse(...line: string[]): Parsed {
  const program = createProgram();
  const command = program.commands.find((one) => one.name() === 'exec')!;
  let parsed: Parsed | undefined;
  command.action((slice: string, host: string, words: string[]) => {
    parsed = { slice, host, words, options: command.optsWithGlobals() };
  });
  command.configureOutput({ writeErr: () => {} });
  program.parse(line, { from: 'user' });
  return parsed!;
}

describe('exec', () => {
  it('passes everything after -- to the command, also what looks like its own options', () => {
    const { slice, host, words, options } = parse('exec', 'two', 'e1', '--', 'ping', '-c', '1', '--json', '--', '-v');
    expect([slice, host, words]).toEqual(['two', 'e1', ['ping', '-c', '1', '--json', '--', '-v']]);
    expect(options.json).toBe(false);
  });

  it('takes options before --', () => {
    const { words, options } = parse('exec', '--vn', 'left', 'two', 'e1', '--json', '--', 'true');
    expect(words).toEqual(['true']);
    expect(options).toMatchObject({ vn: 'left', json: true });
  });

  it('keeps words as they are', () => {
    const words = ['printf', '%s', 'two  words', "it's", '"$HOME"', '', 'a\nb', '*'];
    expect(parse('exec', 'two', 'e1', '--', ...words).words).toEqual(words);
  });

  it('refuses a line without a command', () => {
    expect(() => parse('exec', 'two', 'e1')).toThrow("missing required argument 'command'");
  });
});

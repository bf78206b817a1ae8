import { describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';

function parse(...line: string[]) {
  const program = createProgram();
  const command = program.commands.find((one) => one.name() === 'capture')!;
  let parsed: unknown;
  command.action((slice: string, place: string, options: object) => {
    parsed = { slice, place, ...options };
  });
  command.configureOutput({ writeErr: () => {} });
  program.parse(['capture', ...line], { from: 'user' });
  return parsed;
}

describe('capture', () => {
  it('takes a place, a link, a file and limits', () => {
    const limits = ['--count', '10', '--seconds', '5', '--snaplen', '96', '--vn', 'left'];
    expect(parse('two', 'r1', '--link', 'r2', '-w', 'out.pcapng', ...limits)).toEqual({
      slice: 'two',
      place: 'r1',
      link: 'r2',
      write: 'out.pcapng',
      count: 10,
      seconds: 5,
      snaplen: 96,
      vn: 'left',
    });
    expect(parse('two', 'r1', '--link', 'r2', '-w', '-')).toMatchObject({ write: '-' });
  });

  it.each([
    [['two', 'r1', '--link', 'r2'], "required option '-w, --write <file>' not specified"],
    [['two', 'r1', '--link', 'r2', '-w', 'f', '--count', '0'], 'Give a whole number from 1 to 1000000000.'],
    [['two', 'r1', '--link', 'r2', '-w', 'f', '--seconds', '1.5'], 'Give a whole number from 1 to 2000000.'],
    [['two', 'r1', '--link', 'r2', '-w', 'f', '--snaplen', '63'], 'Give a whole number from 64 to 262144.'],
  ])('refuses %j', (line, message) => {
    expect(() => parse(...line)).toThrow(message);
  });
});

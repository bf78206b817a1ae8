import { CommanderError } from 'commander';
import { describe, expect, it, vi } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { suggestOnErrors } from '../../src/cli/suggest.ts';

/** The error output for an invalid command line. */
function saidTo(...words: string[]): string {
  const program = createProgram();
  suggestOnErrors(program);
  let said = '';
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += text;
    return true;
  });
  try {
    program.parse(words, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return said;
    throw error;
  } finally {
    write.mockRestore();
  }
  throw new Error(`'${words.join(' ')}' is valid`);
}

const bringUp = "did you mean 'pl-vnm install SLICE', or 'pl-vnm testbed up SLICE.yaml' for nodes on this machine?";
const takeDown = "did you mean 'pl-vnm uninstall SLICE', or 'pl-vnm testbed down' for nodes on this machine?";
const status = "did you mean 'pl-vnm status'?";

describe('an unknown command', () => {
  it.each([
    ['up', bringUp],
    ['deploy', bringUp],
    ['start', bringUp],
    ['run', bringUp],
    ['lstart', bringUp],
    ['down', takeDown],
    ['destroy', takeDown],
    ['stop', takeDown],
    ['ls', status],
    ['list', status],
    ['ps', status],
    ['inspect', status],
    ['topology', "did you mean 'pl-vnm graph SLICE'?"],
    ['version', "did you mean 'pl-vnm --version'?"],
    ['test', "did you mean 'pl-vnm verify SLICE'?"],
    ['traceroute', "did you mean 'pl-vnm trace SLICE FROM TO'?"],
    ['tcpdump', "did you mean 'pl-vnm capture SLICE NAME --link NAME -w FILE.pcapng'?"],
    ['verfy', "did you mean 'pl-vnm verify'?"],
    ['migrat', "did you mean 'pl-vnm migrate'?"],
    ['frobnicate', "run 'pl-vnm --help' to list the commands"],
    ['constructor', "run 'pl-vnm --help' to list the commands"],
  ])('the unknown command %s gets one line with a hint', (name, hint) => {
    expect(saidTo(name)).toBe(`error: unknown command '${name}'; ${hint}\n`);
  });

  it('an unknown command is reported before its options', () => {
    expect(saidTo('deploy', '-t', 'lab.yaml')).toBe(`error: unknown command 'deploy'; ${bringUp}\n`);
  });

  it('an unknown subcommand gets a suggestion from its group', () => {
    expect(saidTo('job', 'ls')).toBe("error: unknown command 'ls'; did you mean 'pl-vnm job list'?\n");
    expect(saidTo('testbed', 'start')).toBe("error: unknown command 'start'; did you mean 'pl-vnm testbed up'?\n");
    expect(saidTo('job', 'x', '-y')).toBe("error: unknown command 'x'; run 'pl-vnm job --help' to list the commands\n");
  });

  it('an unknown command is reported on one line, whatever its name contains', () => {
    expect(saidTo(`a\n\u001b[2J${'x'.repeat(99)}`)).toMatch(
      /^error: unknown command 'a\\u000a\\u001b\[2Jx+\.\.\.'; [^\n]*\n$/,
    );
  });

  it('an unknown command is never suggested', () => {
    const commands = createProgram().commands;
    const words = 'up down ls version test check move undo continue repair diff logs migrations server schedule';
    const named = words
      .split(' ')
      .flatMap((word) => [...saidTo(word).matchAll(/'pl-vnm (\w+)/g)].map(([, name]) => name!));
    expect(named.length).toBeGreaterThan(14);
    expect(named.filter((name) => !commands.some((command) => command.name() === name))).toEqual([]);
  });
});

describe('an unknown option', () => {
  it.each([
    ['status --jsn', "unknown option '--jsn'; did you mean '--json'?"],
    ['status --format json', "unknown option '--format'; did you mean '--json'?"],
    ['status -x', "unknown option '-x'; run 'pl-vnm status --help' to list the options"],
    ['migrate two --to final --shedule hold', "unknown option '--shedule'; did you mean '--schedule'?"],
    ['install -t two.yaml', "unknown option '-t'; give the slice file, or the name of the slice, without an option"],
    ['--jsn', "unknown option '--jsn'; did you mean '--json'?"],
  ])('the unknown option in "%s" gets one line with a hint', (words, line) => {
    expect(saidTo(...words.split(' '))).toBe(`error: ${line}\n`);
  });
});

it('a missing argument prints the help of the command', () => {
  expect(saidTo('verify')).toMatch(/^error: missing required argument 'slice'\n\nUsage: pl-vnm verify /);
});

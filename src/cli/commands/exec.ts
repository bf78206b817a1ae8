import { Writable } from 'node:stream';
import type { Command } from 'commander';
import type { Context } from '../../controller/base/context.ts';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { type ExecRequest, exec, shellCommand } from '../../controller/exec.ts';
import type { OwnTerminal } from '../../controller/inside/terminal.ts';
import { VnmError } from '../../model/errors.ts';
import { alreadyPrinted, globalOptions, isClosedPipe, type Output, runCommand } from '../run.ts';
import { isTerminal, ownTerminal } from '../terminal.ts';

/** What the name of a place may be. */
export const placeDescription =
  'the name of a router, a gateway or an end host; if several have it, router:NAME, gateway:NAME or host:NAME';
export const vnDescription = 'which VN, when several have that name';
const withoutTerminal = 'run single commands with pl-vnm exec SLICE NAME -- COMMAND';

/** The most that `--json` keeps of each output. */
const maxBytes = 4 * 1024 ** 2;

export function addExec(program: Command): void {
  program
    .command('exec')
    .description('run a program at a router, a gateway or an end host, in its network')
    .usage('[options] <slice> <name> -- <command...>')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .argument('<name>', placeDescription)
    .argument('<command...>', "a program and its arguments, after '--'; no shell interprets them")
    .option('--vn <name>', vnDescription)
    .option(
      '-t, --tty',
      'give the program a terminal, or fail; by default it has one if stdin and stdout are terminals',
    )
    .option('-T, --no-tty', 'give the program no terminal')
    .addHelpText('after', "\nThe exit code is the command's; pl-vnm's own errors keep their codes.")
    .action((argument: string, place: string, words: string[], { vn, tty }: ExecOptions, command: Command) =>
      runCommand(command, async (context) => {
        const { json } = globalOptions(command);
        const slice = sliceFromArgument(context.store, argument);
        const terminal = terminalFor(tty, json);
        const request = { slice, vn, place, command: words, terminal, isTerminalOptional: tty === undefined };
        return closingInput(() => (json ? execCollecting(context, request) : execPassing(context, request)));
      }),
    );
}

export function addShell(program: Command): void {
  program
    .command('shell')
    .description('open a shell at a router, a gateway or an end host, in its network')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .argument('<name>', placeDescription)
    .option('--vn <name>', vnDescription)
    .addHelpText('after', "\nThe shell is that of the login on the node. The exit code is the shell's.")
    .action((argument: string, place: string, { vn }: { vn?: string }, command: Command) =>
      runCommand(command, async (context) => {
        if (globalOptions(command).json) throw new VnmError('usage', 'a shell has no JSON', { hint: withoutTerminal });
        const terminal = ownTerminal(withoutTerminal);
        const slice = sliceFromArgument(context.store, argument);
        const request = { slice, vn, place, command: shellCommand, terminal };
        return closingInput(() => execPassing(context, request));
      }),
    );
}

interface ExecOptions {
  readonly vn?: string;
  readonly tty?: boolean;
}

/** `tty`: whether the user wants a terminal or none. Throws VnmError `usage`. */
function terminalFor(tty: boolean | undefined, isJson: boolean): OwnTerminal | undefined {
  const hint = 'leave out --tty';
  if (tty === true && isJson) throw new VnmError('usage', 'with --json a program has no terminal', { hint });
  // An error output of its own stays one.
  const isUsual = tty === undefined && !isJson && isTerminal() && process.stderr.isTTY;
  return tty === true || isUsual ? ownTerminal(hint) : undefined;
}

async function closingInput(body: () => Promise<Output>): Promise<Output> {
  try {
    return await body();
  } finally {
    // An open input would keep this process.
    process.stdin.destroy();
  }
}

async function execPassing(context: Context, request: ExecRequest): Promise<Output> {
  try {
    const { exitCode } = await exec(context, request, process);
    return { ...alreadyPrinted, exitCode };
  } catch (error) {
    // As `head` does when it has enough.
    if (isClosedPipe(error)) return alreadyPrinted;
    throw error;
  }
}

async function execCollecting(context: Context, request: ExecRequest): Promise<Output> {
  const [stdout, stderr] = [collector('stdout'), collector('stderr')];
  const streams = { stdin: process.stdin, stdout: stdout.stream, stderr: stderr.stream };
  const result = await exec(context, request, streams);
  return { text: '', json: { ...result, stdout: stdout.text(), stderr: stderr.text() }, exitCode: result.exitCode };
}

/** Keeps what is written to the stream, which fails with VnmError `failed` when it is too much. */
function collector(name: string): { stream: Writable; text: () => string } {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      done(bytes <= maxBytes ? null : tooMuch(name));
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString() };
}

function tooMuch(name: string): VnmError {
  return new VnmError('failed', `the command printed more than ${maxBytes / 1024 ** 2} MiB on ${name}`, {
    hint: 'leave out --json: then output is passed on as it comes',
  });
}

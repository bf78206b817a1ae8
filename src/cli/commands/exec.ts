import { Writable } from 'node:stream';
import type { Command } from 'commander';
import type { Context } from '../../controller/base/context.ts';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { type ExecRequest, exec } from '../../controller/exec.ts';
import { VnmError } from '../../model/errors.ts';
import { alreadyPrinted, globalOptions, isClosedPipe, type Output, runCommand } from '../run.ts';

/** The most that `--json` keeps of each output. */
const maxBytes = 4 * 1024 ** 2;

export function addExec(program: Command): void {
  program
    .command('exec')
    .description("run a program at a router or an end host, in the VN's network")
    .usage('[options] <slice> <name> -- <command...>')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .argument('<name>', 'the name of a router or an end host; if both have it, router:NAME or host:NAME')
    .argument('<command...>', "a program and its arguments, after '--'; no shell interprets them")
    .option('--vn <name>', 'which VN, when several have an end host of that name')
    .addHelpText('after', "\nThe exit code is the command's; pl-vnm's own errors keep their codes.")
    .action((argument: string, place: string, words: string[], { vn }: { vn?: string }, command: Command) =>
      runCommand(command, async (context) => {
        const request = { slice: sliceFromArgument(context.store, argument), vn, place, command: words };
        try {
          return await (globalOptions(command).json ? execCollecting(context, request) : execPassing(context, request));
        } finally {
          // An open input would keep this process.
          process.stdin.destroy();
        }
      }),
    );
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

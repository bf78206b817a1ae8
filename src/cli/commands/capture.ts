import type { Command } from 'commander';
import type { Context } from '../../controller/base/context.ts';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { type CaptureRequest, type CaptureResult, capture } from '../../controller/capture.ts';
import { captureStream, openCaptureFile } from '../../controller/inside/capture-output.ts';
import { VnmError } from '../../model/errors.ts';
import { maxSnaplen } from '../../vsys/messages.ts';
import { limitOption } from '../options.ts';
import { alreadyPrinted, globalOptions, isClosedPipe, type Output, runCommand } from '../run.ts';
import { placeDescription, vnDescription } from './exec.ts';

interface CaptureOptions {
  readonly link?: string;
  readonly write: string;
  readonly count?: number;
  readonly seconds?: number;
  readonly snaplen?: number;
  readonly vn?: string;
}

/** The value of -w that means stdout. */
const toStdout = '-';

export function addCapture(program: Command): void {
  program
    .command('capture')
    .description('write the packets of one link of a router, a gateway or an end host to a pcapng file')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .argument('<name>', placeDescription)
    .option('--link <name>', 'the link to this router, gateway or end host; not needed where there is only one')
    .requiredOption('-w, --write <file>', 'the file to write, or - for stdout, such as a pipe to Wireshark')
    .addOption(limitOption('--count <n>', 'end after so many packets', [1, 1_000_000_000]))
    .addOption(limitOption('--seconds <n>', 'end after so many seconds', [1, 2_000_000]))
    .addOption(limitOption('--snaplen <bytes>', 'take so much of each packet (default: all)', [64, maxSnaplen]))
    .option('--vn <name>', vnDescription)
    .addHelpText('after', '\nCtrl-C ends the capture with a complete file. Times are by the clock of the node.')
    .action((argument: string, place: string, options: CaptureOptions, command: Command) =>
      runCommand(command, async (context) => {
        const { write: path, ...limits } = options;
        if (path === toStdout) checkStdout(globalOptions(command).json);
        const request = { slice: sliceFromArgument(context.store, argument), place, ...limits };
        return path === toStdout ? toPipe(context, request) : toFile(context, request, path);
      }),
    );
}

async function toFile(context: Context, request: CaptureRequest, path: string): Promise<Output> {
  const result = await capture(context, request, () => openCaptureFile(path));
  return { text: describe(result, path), json: { ...result, file: path } };
}

async function toPipe(context: Context, request: CaptureRequest): Promise<Output> {
  try {
    const result = await capture(context, request, async () => captureStream(process.stdout));
    context.report({ kind: 'note', text: describe(result, 'stdout') });
  } catch (error) {
    // As Wireshark does when it is closed.
    if (!isClosedPipe(error)) throw error;
  }
  return alreadyPrinted;
}

/** Throws VnmError `usage`. */
function checkStdout(isJson: boolean): void {
  const hint = 'give a file with -w, or pipe the output to another program';
  if (isJson) throw new VnmError('usage', 'stdout cannot have the packets and the result of --json', { hint });
  if (process.stdout.isTTY) throw new VnmError('usage', 'stdout is a terminal, which cannot show packets', { hint });
}

function describe({ name, link, packets, dropped }: CaptureResult, file: string): string {
  const what = packets === 1 ? 'packet' : 'packets';
  const lost = dropped === 0 ? '' : `; the node dropped ${dropped} more`;
  return `${packets} ${what} of the link from '${name}' to '${link}' written to ${file}${lost}`;
}

import type { Command } from 'commander';
import type { Context } from '../../controller/base/context.ts';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import type { BetweenResult } from '../../controller/inside/between.ts';
import { describePlace, type PlaceName } from '../../controller/inside/place.ts';
import { ping } from '../../controller/ping.ts';
import { type Hop, type TraceResult, trace } from '../../controller/trace.ts';
import { exitCodes } from '../../model/exit-codes.ts';
import { limitOption } from '../options.ts';
import { ms } from '../output.ts';
import { alreadyPrinted, globalOptions, type Output, runCommand } from '../run.ts';
import { orOutputLost, outputLost } from '../streams.ts';
import { placeDescription, vnDescription } from './exec.ts';

export function addPing(program: Command): void {
  program
    .command('ping')
    .description('send echo requests from one router, gateway or end host of a VN to another')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .argument('<from>', placeDescription)
    .argument('<to>', 'the same, in the same VN')
    .addOption(limitOption('-c, --count <n>', 'how many', [1, 1_000_000]).default(5))
    .option('--vn <name>', vnDescription)
    .addHelpText('after', '\nThe exit code is 1 if nothing comes back.')
    .action((argument: string, from: string, to: string, options: { count: number; vn?: string }, command: Command) =>
      runCommand(command, async (context) => {
        const { json } = globalOptions(command);
        const slice = sliceFromArgument(context.store, argument);
        const show = (text: string) => void process.stdout.write(text);
        return whileRead(context, async (reading) => {
          const result = await ping(reading, { slice, from, to, ...options }, json ? undefined : show);
          return withExitCode(result.received > 0, json, result);
        });
      }),
    );
}

export function addTrace(program: Command): void {
  program
    .command('trace')
    .description('show the hops of packets from one router, gateway or end host of a VN to another')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .argument('<from>', placeDescription)
    .argument('<to>', 'the same, in the same VN')
    .addOption(limitOption('-m, --max-hops <n>', 'the most hops (default: as many as the VN has)', [1, 255]))
    .option('--vn <name>', vnDescription)
    .addHelpText(
      'after',
      '\nRound-trip times are those of echo requests to the hop itself. A hop that does not answer is a *.\nThe exit code is 1 if no packet gets there.',
    )
    .action((argument: string, from: string, to: string, options: TraceOptions, command: Command) =>
      runCommand(command, async (context) => {
        const { json } = globalOptions(command);
        const slice = sliceFromArgument(context.store, argument);
        const print = (line: string) => void (json || process.stdout.write(`${line}\n`));
        const request = { slice, from, to, vn: options.vn, maxHops: options.maxHops };
        return whileRead(context, async (reading) => {
          const result = await trace(reading, request, (hop) => print(hopLine(hop)));
          if (!result.reached) print(notReached(result));
          return withExitCode(result.reached, json, result);
        });
      }),
    );
}

interface TraceOptions {
  readonly maxHops?: number;
  readonly vn?: string;
}

/** Stops when the reader of the output has gone, as `head` has after some lines. */
async function whileRead(context: Context, body: (context: Context) => Promise<Output>): Promise<Output> {
  try {
    return await body({ ...context, signal: orOutputLost(context.signal) });
  } catch (error) {
    if (outputLost.aborted) return alreadyPrinted;
    throw error;
  }
}

function withExitCode(isThere: boolean, isJson: boolean, result: BetweenResult): Output {
  const exitCode = isThere ? exitCodes.done : exitCodes.failed;
  return isJson ? { text: '', json: result, exitCode } : { ...alreadyPrinted, exitCode };
}

/** As `traceroute` prints it, with the name that the hop has in the VN. */
export function hopLine({ hop, address, kind, name, rttMs, reason }: Hop): string {
  const number = String(hop).padStart(2);
  if (address === undefined) return `${number}  *`;
  const who = kind === undefined ? address : `${nameIn({ kind, name: name! })} (${address})`;
  const time = rttMs === undefined ? '*' : `${ms(rttMs, 3)} ms`;
  return `${number}  ${who}  ${time}${reason === undefined ? '' : `  ${reason}`}`;
}

function nameIn({ kind, name }: PlaceName): string {
  return `${kind} ${name}`;
}

function notReached({ to, address, hops }: TraceResult): string {
  const known = hops.findLast((hop) => hop.address !== undefined);
  const where = known === undefined ? 'no hop answers' : `the last hop that answers is number ${known.hop}`;
  return `no packet reaches ${describePlace(to)} (${address}): ${where}`;
}

import type { Command } from 'commander';
import { chooseVn } from '../../controller/resolve.ts';
import { sliceFromArgument } from '../../controller/slice-argument.ts';
import { verify } from '../../controller/verify.ts';
import { table } from '../output.ts';
import { runCommand } from '../run.ts';

export function addVerify(program: Command): void {
  program
    .command('verify')
    .description('end-to-end reachability of every pair of end hosts')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .option('--vn <name>', 'which VN, when the slice has several')
    .action((argument: string, options: { vn?: string }, command: Command) =>
      runCommand(command, async (context) => {
        const slice = sliceFromArgument(context.store, argument);
        const result = await verify(context, slice, chooseVn(slice, options.vn));
        const rows = result.pairs.map(({ from, to, reachable, received, sent, stopsAt }) => [
          from,
          to,
          reachable ? 'ok' : 'broken',
          `${received}/${sent}`,
          stopsAt ?? '',
        ]);
        const verdict = result.ok ? 'every pair of end hosts reaches each other' : 'some pairs are broken';
        const text = `${table(['from', 'to', 'result', 'probes', 'it stops'], rows)}\n\nVN '${result.vn}': ${verdict}`;
        return { text, json: result, exitCode: result.ok ? 0 : 1 };
      }),
    );
}

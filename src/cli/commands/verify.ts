import type { Command } from 'commander';
import { chooseVn } from '../../controller/base/resolve.ts';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { describeObstacle } from '../../controller/nodes/obstacles.ts';
import type { VerifyResult } from '../../controller/probe/verify-vn.ts';
import { verify } from '../../controller/verify.ts';
import { exitCodes } from '../../model/exit-codes.ts';
import { table } from '../output.ts';
import { runCommand } from '../run.ts';
import { outcome, toned } from '../style.ts';

export function addVerify(program: Command): void {
  program
    .command('verify')
    .description('test the end-to-end reachability of every pair of end hosts')
    .argument('<slice>', 'a slice file, or the name of a slice in the database')
    .option('--vn <name>', 'which VN, when the slice has several')
    .action((argument: string, options: { vn?: string }, command: Command) =>
      runCommand(command, async (context) => {
        const slice = sliceFromArgument(context.store, argument);
        const result = await verify(context, slice, chooseVn(slice, options.vn));
        const rows = result.pairs.map(({ from, to, reachable, lostBytes, provenBy, received, sent, stopsAt }) => [
          from,
          to,
          outcome(reachable ? (lostBytes === undefined ? 'ok' : 'too narrow') : 'broken'),
          provenBy === 'echo' ? 'echo' : `${received}/${sent}`,
          stopsAt ?? '',
        ]);
        const verdict = result.ok
          ? toned('good', 'all pairs of end hosts reach each other')
          : toned('bad', 'some pairs are broken');
        const sizes = describeNarrow(result);
        const obstacles = (result.obstacles ?? []).map(describeObstacle);
        const parts = [table(['from', 'to', 'result', 'probes', 'breaks at'], rows), ...sizes, ...obstacles];
        const text = [...parts, `VN '${result.vn}': ${verdict}`].join('\n\n');
        return { text, json: result, exitCode: result.ok ? exitCodes.done : exitCodes.failed };
      }),
    );
}

function describeNarrow({ vn, pairs }: VerifyResult): string[] {
  const narrow = pairs.filter(({ lostBytes }) => lostBytes !== undefined);
  const [first] = narrow;
  if (first === undefined) return [];
  const known = narrow.flatMap(({ carriesBytes }) => carriesBytes ?? []);
  const most = known.length === 0 ? '' : `, at most ${Math.min(...known)} bytes get through`;
  const value = known.length === 0 ? 'BYTES' : Math.min(...known);
  return [
    `packets of the VN's full size (${first.lostBytes} bytes) are lost${most}: raise the MTU of the path, or set 'mtu: ${value}' for VN '${vn}' in the slice file and run 'pl-vnm install SLICE.yaml'`,
  ];
}

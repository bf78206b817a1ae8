import { type Command, Option } from 'commander';
import { readSlice } from '../../slicefile/index.ts';
import { dataplaneChoice } from '../../testbed/dataplane.ts';
import type { Impairment } from '../../testbed/links/properties.ts';
import { readChangedLinks } from '../../testbed/links/record.ts';
import { bringUp, reportTestbeds, type TestbedReport, takeDown } from '../../testbed/manage.ts';
import { parsePercent, parseRateArgument } from '../options.ts';
import { table } from '../output.ts';
import { runCommand } from '../run.ts';
import { addLink, addLinks, changedNote } from './testbed-links.ts';

interface UpOptions {
  readonly dataplane: 'auto' | 'kernel' | 'userspace';
  readonly server: 'embedded' | 'openssh';
  /** A fraction. */
  readonly loss?: number;
  readonly rate?: number;
  readonly relay: boolean;
}

export function addTestbed(program: Command): void {
  const testbed = program
    .command('testbed')
    .description('manage local nodes on this machine, for slices without hosts');
  addUp(testbed);
  addLink(testbed);
  addLinks(testbed);
  testbed
    .command('down')
    .description('remove the local testbed, with everything on it')
    .action((_options, command: Command) =>
      runCommand(command, async ({ store }) => {
        const removed = await takeDown(store);
        const text = removed.length === 0 ? 'no testbed to remove' : `testbed ${removed.join(', ')} is down`;
        return { text, json: { removed } };
      }),
    );
  testbed
    .command('status')
    .description('show which parts of the local testbed are running')
    .action((_options, command: Command) =>
      runCommand(command, async ({ store }) => {
        const testbeds = await reportTestbeds(store);
        const text = testbeds.length === 0 ? 'no testbed' : testbeds.map(describe).join('\n\n');
        return { text, json: { testbeds } };
      }),
    );
}

function addUp(testbed: Command): void {
  testbed
    .command('up')
    .description('create a node on this machine for every node without a host')
    .argument('<slice.yaml...>', 'slice files; they share one testbed, where nodes of the same name are one node')
    .addOption(
      new Option('--dataplane <kind>', 'the data plane of the nodes')
        .choices(['auto', 'kernel', 'userspace'])
        .default('auto'),
    )
    .addOption(
      new Option('--server <kind>', 'the SSH server of the nodes').choices(['embedded', 'openssh']).default('embedded'),
    )
    .addOption(
      new Option('--loss <percent>', 'the share of packets that each path between nodes loses').argParser(parsePercent),
    )
    .addOption(
      new Option('--rate <rate>', 'the rate of each path between nodes, like 10Mbps').argParser(parseRateArgument),
    )
    .option('--relay', 'start a relay even if no path has a latency, so that `testbed link` can change paths', false)
    .action((files: string[], options: UpOptions, command: Command) =>
      runCommand(command, async ({ store, report, signal }) => {
        const { dataplane, reason } = dataplaneChoice(options.dataplane);
        report({ kind: 'phase', text: `data plane: ${dataplane} (${reason})` });
        const record = await bringUp(
          store,
          files.map((file) => readSlice(file)),
          {
            server: options.server,
            dataplane,
            impairment: impairmentOf(options),
            onProgress: (text) => report({ kind: 'note', text }),
            ...(signal === undefined ? {} : { signal }),
          },
        );
        const isKernel = record.dataplane === 'kernel';
        const rows = record.nodes.map((node) => [
          node.name,
          `${node.user}@${node.host}:${node.port}`,
          isKernel
            ? node.address
            : Object.values(node.tunnelPorts ?? {})
                .map((port) => `${node.address}:${port}`)
                .join(', '),
          ...(isKernel ? [node.namespace] : []),
        ]);
        const headings = ['node', 'ssh', 'tunnels to', ...(isKernel ? ['namespace'] : [])];
        const parts = [
          table(headings, rows),
          ...changedNote(readChangedLinks(record.directory)),
          `testbed ${record.id} is up: ${record.nodes.length} nodes`,
        ];
        return { text: parts.join('\n\n'), json: record };
      }),
    );
}

function impairmentOf({ loss: lossRate, rate: rateBps, relay }: UpOptions): Impairment | undefined {
  if (lossRate === undefined && rateBps === undefined && !relay) return undefined;
  return { ...(lossRate === undefined ? {} : { lossRate }), ...(rateBps === undefined ? {} : { rateBps }) };
}

function describe({ id, state, testbed, status, changedLinks = [] }: TestbedReport): string {
  if (testbed === undefined || status === undefined)
    return `testbed ${id}: ${state} (interrupted; run 'pl-vnm testbed down' to remove it)`;
  const rows = status.nodes.map((node) => [
    node.name,
    ...(node.namespace === undefined ? [] : [node.namespace ? 'present' : 'missing']),
    node.server ? 'answers' : 'dead',
    node.processes,
  ]);
  const hasNamespaces = status.nodes.some((node) => node.namespace !== undefined);
  const headings = ['node', ...(hasNamespaces ? ['namespace'] : []), 'ssh', 'processes'];
  const heading = `testbed ${id}: ${status.alive ? 'alive' : 'partly dead'}, relay ${status.relay}, server ${testbed.server}`;
  return [`${heading}\n${table(headings, rows)}`, ...changedNote(changedLinks)].join('\n\n');
}

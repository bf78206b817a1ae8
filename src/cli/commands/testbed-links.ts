import { type Command, Option } from 'commander';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { VnmError } from '../../model/errors.ts';
import { changeLink, type LinkReport, listLinks, measureLinks } from '../../testbed/links/manage.ts';
import type { LinkMeasurement } from '../../testbed/links/probe-job.ts';
import { type DirectedLink, type LinkProperties, maxLatencyMs } from '../../testbed/links/properties.ts';
import { limitOption, millisecondsArgument, parseLimitArgument, parsePercent } from '../options.ts';
import { ms, table } from '../output.ts';
import { runCommand } from '../run.ts';

interface LinkOptions {
  readonly latency?: number;
  readonly jitter?: number;
  /** A fraction. */
  readonly loss?: number;
  /** Null: no limit. */
  readonly rate?: number | null;
  readonly oneWay: boolean;
  readonly reset: boolean;
}

const aSlice = 'a slice file, or the name of a slice in the database';

export function addLink(testbed: Command): void {
  testbed
    .command('link')
    .description('change the path between two nodes of a running local testbed, while it carries traffic')
    .argument('<slice>', aSlice)
    .argument('<a>', 'a node')
    .argument('<b>', 'another node')
    .addOption(new Option('--latency <ms>', 'the one-way latency in ms').argParser(millisecondsArgument(maxLatencyMs)))
    .addOption(
      new Option('--jitter <ms>', 'how far the latency of each packet deviates from it at most, in ms').argParser(
        millisecondsArgument(maxLatencyMs),
      ),
    )
    .addOption(new Option('--loss <percent>', 'the share of packets that are lost').argParser(parsePercent))
    .addOption(
      new Option('--rate <rate>', 'the rate of each direction, like 10Mbps; none for no limit').argParser(
        parseLimitArgument,
      ),
    )
    .option('--one-way', 'change only the direction from A to B', false)
    .option('--reset', 'return to what testbed up made, before the other options apply', false)
    .action((argument: string, from: string, to: string, options: LinkOptions, command: Command) =>
      runCommand(command, async ({ store }) => {
        const set = propertiesOf(options);
        if (!options.reset && Object.keys(set).length === 0) {
          throw new VnmError('usage', 'there is nothing to change', {
            hint: 'give --latency, --jitter, --loss, --rate or --reset; testbed links shows what the paths are asked to do',
          });
        }
        const { oneWay: isOneWay, reset } = options;
        const slice = sliceFromArgument(store, argument);
        const links = await changeLink(store, slice, { from, to, isOneWay, reset, set });
        return { text: linksTable(links), json: { links: links.map(linkJson) } };
      }),
    );
}

export function addLinks(testbed: Command): void {
  testbed
    .command('links')
    .description('show what the paths between the nodes of a local testbed are asked to do, and what they do')
    .argument('<slice>', aSlice)
    .argument('[node...]', 'one node, for its paths, or two, for the path between them (default: all nodes)')
    .option('--measure', 'send packets over the paths now, in both directions', false)
    .addOption(
      limitOption('--packets <count>', 'for --measure: the packets over each direction', [1, 10_000]).default(200),
    )
    .action((argument: string, nodes: string[], options: { measure: boolean; packets: number }, command: Command) =>
      runCommand(command, async ({ store, report, signal }) => {
        if (nodes.length > 2) throw new VnmError('usage', 'more than two nodes', { hint: 'give one, two or none' });
        const slice = sliceFromArgument(store, argument);
        const listed = listLinks(store, slice, nodes);
        const onStart = (sendingMs: number) => {
          const seconds = (sendingMs / 1000).toFixed(1);
          report({
            kind: 'phase',
            text: `sending ${options.packets} packets over each of ${listed.length} directions, for ${seconds} s`,
          });
        };
        const links = options.measure
          ? await measureLinks(store, slice, listed, { count: options.packets, onStart, signal })
          : listed;
        const note = options.measure
          ? ['asked | measured; in brackets the 95 % interval of the loss, and the range of the latency']
          : [];
        return { text: [linksTable(links), ...note].join('\n\n'), json: { links: links.map(linkJson) } };
      }),
    );
}

/** What `testbed up` and `testbed status` print of paths that are not as the testbed was made. */
export function changedNote(changed: readonly DirectedLink[]): string[] {
  if (changed.length === 0) return [];
  return [`changed paths\n${linksTable(changed.map((asked) => ({ asked, isChanged: true })))}`];
}

function propertiesOf({ latency, jitter, loss, rate }: LinkOptions): Partial<LinkProperties> {
  return {
    ...(latency === undefined ? {} : { latencyMs: latency }),
    ...(jitter === undefined ? {} : { jitterMs: jitter }),
    ...(loss === undefined ? {} : { lossRate: loss }),
    ...(rate === undefined ? {} : { rateBps: rate }),
  };
}

function linkJson({ asked: { from, to, ...asked }, isChanged, measured }: LinkReport) {
  return { from, to, asked, changed: isChanged, ...(measured === undefined ? {} : { measured }) };
}

function linksTable(links: readonly LinkReport[]): string {
  const isMeasured = links.some(({ measured }) => measured !== undefined);
  const rows = links.map(({ asked, isChanged, measured }) => {
    const { from, to, latencyMs, jitterMs, lossRate, rateBps } = asked;
    const cells = [plain(latencyMs), plain(jitterMs), percent(lossRate), rateText(rateBps)];
    const found = measured === undefined ? [] : measuredCells(measured);
    return [from, to, ...cells, isChanged ? 'yes' : 'no', ...found];
  });
  const heading = ['from', 'to', 'latency ms', 'jitter ms', 'loss %', 'rate', 'changed'];
  return table([...heading, ...(isMeasured ? ['| latency ms', 'loss %', 'packets', 'rate'] : [])], rows);
}

function measuredCells({ sent, received, lossRate, latencyMs, rate }: LinkMeasurement): string[] {
  const { value, low, high } = lossRate;
  return [
    latencyMs === null ? '| -' : `| ${ms(latencyMs.median)} (${ms(latencyMs.min)}-${ms(latencyMs.max)})`,
    `${percent(value)} (${percent(low)}-${percent(high)})`,
    `${received}/${sent}`,
    rate === undefined ? '-' : `${rateText(rate.bps)} (${rate.received}/${rate.sent})`,
  ];
}

/** At most three decimals. */
function plain(value: number): string {
  return String(Number(value.toFixed(3)));
}

function percent(fraction: number): string {
  return String(Number((100 * fraction).toFixed(2)));
}

function rateText(bps: number | null): string {
  if (bps === null) return '-';
  const [scale, unit] =
    bps >= 1e9 ? [1e9, 'Gbps'] : bps >= 1e6 ? [1e6, 'Mbps'] : bps >= 1e3 ? [1e3, 'kbps'] : [1, 'bps'];
  return `${plain(bps / scale)}${unit}`;
}

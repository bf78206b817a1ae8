/** Firewalls of this node that drop what the VN needs: forwarded packets on gateways, and tunnel packets. */
import { parsePrefix } from '../../model/address.ts';
import { VnmError } from '../../model/errors.ts';
import type { Obstacle } from '../../vsys/obstacle.ts';
import type { Policy } from '../../vsys/policy.ts';
import { run } from '../run.ts';
import { type Chains, drops, type Packets } from './filter.ts';
import { parseIptables } from './iptables.ts';
import { parseNft } from './nft.ts';

/** The chains of one table, and the command that inserts a rule at the start of a chain. */
export interface FilterTable {
  readonly name: string;
  readonly chains: Chains;
  readonly insert: (chain: string, packets: Packets) => string;
}

/** Whether a table is one of ours. They accept the VN's packets only. */
const isOwn = (name: string) => /^pv[0-9a-z]{3}-|^pv-|^pl-?vnm/.test(name);

export async function readFilters(): Promise<FilterTable[]> {
  const nft = await output('nft', ['--json', 'list', 'ruleset']);
  const tables = nft === undefined ? [] : parseNft(nft).filter(({ name }) => !isOwn(name));
  // Where nft exists, it also shows the rules of iptables, except the legacy kind.
  const legacy = await output('iptables-legacy-save', []);
  const saved = legacy ?? (nft === undefined ? await output('iptables-save', []) : undefined);
  const command = legacy === undefined ? 'iptables' : 'iptables-legacy';
  return [
    ...tables.map(({ family, name, chains }) => ({
      name: `table ${family} ${name}`,
      chains,
      insert: (chain: string, packets: Packets) =>
        `nft insert rule ${family} ${name} ${chain} ${nftWords(packets)} accept`,
    })),
    ...(saved === undefined
      ? []
      : [
          {
            name: 'table filter',
            chains: parseIptables(saved),
            insert: (chain: string, packets: Packets) => `${command} -I ${chain} ${iptablesWords(packets)} -j ACCEPT`,
          },
        ]),
  ];
}

/** Returns undefined if the node has no such program, or it fails: no permission, or no kernel support. */
async function output(command: string, args: string[]): Promise<string | undefined> {
  try {
    const { code, stdout } = await run(command, args);
    return code === 0 && stdout !== '' ? stdout : undefined;
  } catch (error) {
    if (error instanceof VnmError) return undefined;
    throw error;
  }
}

/** `uplink`: an interface on which tunnel packets arrive. */
export function filterObstacles(
  tables: readonly FilterTable[],
  { vnet, interfacePrefix }: Pick<Policy, 'vnet' | 'interfacePrefix'>,
  { port, uplink }: { readonly port: number; readonly uplink: string },
): Obstacle[] {
  const subnet = parsePrefix(vnet);
  const [inner, outer] = [`${interfacePrefix}e0g`, `${interfacePrefix}0l0a`];
  const inside = { hook: 'forward', source: subnet, destination: subnet } as const;
  const tunnel = { udpPort: port } as const;
  return [
    ...found('forward-filter', `traffic of ${vnet} between the interfaces of the slice`, [
      { ...inside, in: inner, out: outer },
      { ...inside, in: outer, out: inner },
    ]),
    ...found('input-filter', `tunnel packets (UDP port ${port})`, [{ ...tunnel, hook: 'input', in: uplink }]),
    ...found('output-filter', `tunnel packets (UDP port ${port})`, [{ ...tunnel, hook: 'output', out: uplink }]),
  ];

  function found(kind: Obstacle['kind'], what: string, kinds: readonly Packets[]): Obstacle[] {
    return tables.flatMap(({ name, chains, insert }) =>
      [...chains.keys()].flatMap((chain) => {
        if (!kinds.some((packets) => drops(chains, chain, packets))) return [];
        const { base } = chains.get(chain)!;
        const by = base!.policy === 'drop' ? `policy ${base!.policy}, hook ${base!.hook}` : `hook ${base!.hook}`;
        const shown =
          kinds[0]!.hook === 'forward'
            ? { ...kinds[0]!, in: `${interfacePrefix}*`, out: `${interfacePrefix}*` }
            : kinds[0]!;
        return [
          {
            kind,
            message: `a firewall drops ${what}: chain ${chain} of ${name} (${by})`,
            hint: `run on the node: ${insert(chain, shown)}; and keep that rule in the firewall's own configuration`,
            blocks: true,
          },
        ];
      }),
    );
  }
}

function nftWords({ hook, in: from, out, udpPort }: Packets): string {
  return hook === 'forward' ? `iifname "${from}" oifname "${out}"` : `udp dport ${udpPort}`;
}

function iptablesWords({ hook, in: from, out, udpPort }: Packets): string {
  const named = (name: string | undefined) => name?.replace('*', '+');
  return hook === 'forward' ? `-i ${named(from)} -o ${named(out)}` : `-p udp --dport ${udpPort}`;
}

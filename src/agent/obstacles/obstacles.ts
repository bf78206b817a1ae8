/** Finds what on this node, outside the slice, obstructs the slice's VNs. Changes nothing. */
import type { Obstacle } from '../../vsys/obstacle.ts';
import type { Policy } from '../../vsys/policy.ts';
import { showBatch } from '../dataplane/kernel/ip.ts';
import { ownStack } from '../dataplane/planner/state.ts';
import { run } from '../run.ts';
import { newInterfaceObstacles } from './new-interfaces.ts';
import { filterObstacles, readFilters } from './packet-filters.ts';
import { isLocal, type RuleJson, ruleObstacles } from './routing-rules.ts';
import { portObstacles } from './tunnel-port.ts';
import { sourceObstacles } from './tunnel-source.ts';

/** `port`: the UDP port of the tunnels. */
export async function findObstacles(policy: Policy, port: number): Promise<Obstacle[]> {
  const [tables, uplink] = await Promise.all([readFilters(), findUplink()]);
  return [
    ...filterObstacles(tables, policy, { port, uplink }),
    ...(await portObstacles(port)),
    ...(await sourceObstacles(policy)),
    ...(await findRules(policy)),
    ...(await newInterfaceObstacles(policy.interfacePrefix)),
  ];
}

interface AddressJson {
  readonly ifname: string;
  readonly addr_info: readonly { readonly family: string; readonly scope: string }[];
}

/** Returns an interface that does not belong to a slice and has an address that other nodes can reach. */
async function findUplink(): Promise<string> {
  const [links = []] = await showBatch('ip', ownStack, [['address', 'show']]);
  const isUplink = ({ ifname, addr_info }: AddressJson) =>
    !ifname.startsWith('pv') && addr_info.some(({ family, scope }) => family === 'inet' && scope === 'global');
  return (links as AddressJson[]).find(isUplink)?.ifname ?? 'eth0';
}

async function findRules({ vnet, rulePriority }: Policy): Promise<Obstacle[]> {
  const [rules = []] = await showBatch('ip', ownStack, [['rule', 'show']]);
  const earlier = (rules as RuleJson[]).filter(({ priority }) => priority < rulePriority);
  const names = new Set(earlier.flatMap(({ table }) => (table === undefined || isLocal(table) ? [] : [table])));
  const tables = await Promise.all(
    [...names].map(async (table) => {
      // Some versions of `ip` treat a table without routes as an error.
      const { code, stdout } = await run('ip', ['-json', 'route', 'show', 'table', table]);
      const routes = code === 0 && stdout.trim() !== '' ? (JSON.parse(stdout) as { dst: string; type?: string }[]) : [];
      return [table, routes.filter(({ type }) => type !== 'throw').map(({ dst }) => dst)] as const;
    }),
  );
  const byTable = new Map(tables);
  return ruleObstacles(rules as RuleJson[], (table) => byTable.get(table) ?? [], { vnet, priority: rulePriority });
}

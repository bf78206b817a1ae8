/** The kernel's own messages and `ip -json` say the same about its entries. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { showAndSave } from '../../src/agent/dataplane/kernel/ip.ts';
import { type LinkJson, parseRoutes, type RouteJson } from '../../src/agent/dataplane/kernel/parse.ts';
import { routesIn } from '../../src/agent/dataplane/kernel/route-dump.ts';
import { mainTable } from '../../src/agent/dataplane/planner/state.ts';
import { describeAsRoot, uniqueName } from '../support/privileges.ts';

const lines = `
link set lo up
link add d0 type veth peer name e0
link add d1 type veth peer name e1
link set d0 up
link set e0 up
link set d1 up
link set e1 up
address add 10.64.0.0/31 dev d0
address add 10.64.0.2/31 dev d1
route add default via 10.64.0.1
route add 10.65.0.0/24 via 10.64.0.1
route append 10.65.0.0/24 via 10.64.0.3
route add 10.65.0.0/24 via 10.64.0.3 metric 5 proto 246
route add 10.65.1.0/24 dev d1 src 10.64.0.0
route add 10.65.2.0/24 via 10.99.0.1 dev d0 onlink
route add 10.65.3.0/24 nexthop via 10.64.0.1 weight 3 nexthop via 10.64.0.3 weight 256
route add 10.65.4.0/24 nexthop via 10.99.0.1 dev d0 onlink nexthop dev d1
route add blackhole 10.65.5.0/24
route add unreachable 10.65.6.0/24 metric 4278198272
route add prohibit 10.65.7.0/24 table 50001
route add 10.65.8.1 via 10.64.0.1 table 50001 proto bird
nexthop add id 1 via 10.64.0.1 dev d0
nexthop add id 2 via 10.64.0.3 dev d1
nexthop add id 3 group 1,2/2,5
route add 10.65.9.0/24 nhid 1
route add 10.65.10.0/24 nhid 3
route add 10.65.11.0/24 via inet6 fe80::1 dev d0
route add 10.65.12.0/24 via 10.64.0.1 mtu 1400 tos 0x10
`;

describeAsRoot('ip route save', () => {
  const namespace = uniqueName('agd');
  beforeAll(() => {
    execFileSync('ip', ['netns', 'add', namespace]);
    execFileSync('ip', ['-n', namespace, '-batch', '-'], { input: lines.trimStart() });
  });
  afterAll(() => void execFileSync('ip', ['netns', 'del', namespace]));

  it('the dump has the entries of all kinds that the JSON has', async () => {
    const all = ['route', 'show', 'table', 'all', 'root', '0.0.0.0/0'];
    const json = execFileSync('ip', ['-n', namespace, '-json', '-details', '-N', ...all], { encoding: 'utf8' });
    const expected = parseRoutes(JSON.parse(json) as RouteJson[], mainTable, false);
    const { documents, dump } = await showAndSave(namespace, [
      ['link', 'show'],
      ['netns', 'list-id'],
    ]);
    expect(documents).toHaveLength(2);
    const interfaces = new Map((documents[0] as LinkJson[]).map(({ ifindex, ifname }) => [ifindex, ifname]));
    const found = routesIn(dump, interfaces);
    expect([...found]).toEqual([...expected]);
    expect(found.size).toBe(18);
  });

  it('a line that fails is named', async () => {
    const failing = showAndSave(namespace, [
      ['link', 'show'],
      ['link', 'show', 'dev', 'nothing'],
    ]);
    await expect(failing).rejects.toMatchObject({
      code: 'failed',
      message: `ip -netns ${namespace} link show dev nothing: Device "nothing" does not exist`,
    });
  });
});

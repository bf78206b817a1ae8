import { describe, expect, it } from 'vitest';
import { parseList, refuseInstalled } from '../../src/transport/slices-there.ts';
import { encodePolicy, policySchema } from '../../src/vsys/policy.ts';

const policyOf = (slice: string, number: number) =>
  policySchema.parse({
    slice,
    vnet: `10.${number}.0.0/16`,
    interfacePrefix: `pv00${number}-`,
    namespacePrefix: `pv-${slice}_`,
    table: 50_000 + number,
    rulePriority: 10_000 + number,
    nexthops: { first: 65_536, last: 131_071 },
    vnis: { first: 4096, last: 8191 },
  });
const asFile = (slice: string, number: number) =>
  JSON.stringify(policyOf(slice, number), null, 2).replaceAll('\n', '\x1f');
const files = '/etc/pl-vnm/policy';
const answer = (...lines: string[]) => [...lines, 'done list'].map((line) => `pl-vnm ${line}\n`).join('');

describe('the list of slices on a node', () => {
  it('the list has each slice with its policy and its origin, what is installed, and its agent', () => {
    const text = answer(
      `policy ${files}/shared.json ${asFile('shared', 3)}`,
      `policy ${files}/office.json ${asFile('office', 1)}`,
      `policy ${files}/left.json ${asFile('left', 4)}`,
      `policy ${files}/faulty.json {}`,
      'command shared',
      'rule shared # Made by\x1fDefaults!/x env_reset\x1falice ALL=(root) NOPASSWD: /x ""\x1f',
      `agent looked 78 /usr/bin/node /lib/agent-0a.mjs daemon --slice looked --policy ${encodePolicy(policyOf('looked', 2))} `,
      'agent office 77 /usr/bin/node /lib/agent-0a.mjs daemon --slice office ',
      ...['lo', 'eth0', 'pv001-e0g', 'pv0011-x'].map((name) => `interface ${name}`),
      'namespace pv-office_0-core',
      'namespace somebody',
      // A trial of what the kernel can do was killed.
      'namespace pv-left_probe',
      ...['pl-vnm-pv001-tunnels', 'pl-vnm-pv009-tunnels', 'filter'].map((name) => `filter ${name}`),
      'iprule 0 from all lookup local',
      'iprule 10001 from 10.1.0.0/16 lookup 50001',
      'iprule 10002 from all lookup main',
    );
    const policy = (slice: string) => `${files}/${slice}.json`;
    const by = 'controller';
    expect(parseList(`a greeting\n${text}`)).toEqual([
      { slice: 'faulty', policy: policy('faulty'), by, installed: [] },
      { slice: 'left', vnet: '10.4.0.0/16', policy: policy('left'), by, installed: [] },
      { slice: 'looked', vnet: '10.2.0.0/16', installed: [], pid: 78 },
      {
        ...{ slice: 'office', vnet: '10.1.0.0/16', policy: policy('office'), by, pid: 77 },
        installed: [
          'interface pv001-e0g',
          'namespace pv-office_0-core',
          'rule from 10.1.0.0/16 lookup 50001',
          'filter pl-vnm-pv001-tunnels',
        ],
      },
      {
        ...{ slice: 'shared', vnet: '10.3.0.0/16', policy: policy('shared'), by: 'administrator', login: 'alice' },
        installed: [],
      },
    ]);
  });

  it('a slice without a policy on the node is listed by the policy that it would have', () => {
    const text = answer('interface pv001-e0g');
    expect(parseList(text)).toEqual([]);
    expect(parseList(text, policyOf('office', 1))).toEqual([
      { slice: 'office', vnet: '10.1.0.0/16', installed: ['interface pv001-e0g'] },
    ]);
    expect(parseList(text, policyOf('other', 2))).toEqual([]);
  });

  it('a slice with something installed is refused, with a hint', () => {
    const refuse =
      (...installed: string[]) =>
      () =>
        refuseInstalled('n1', { slice: 'office', installed });
    expect(refuse()).not.toThrow();
    const rest = ['rule from 10.1.0.0/16 lookup 50001', 'filter pl-vnm-pv001-tunnels'];
    expect(refuse(...rest)).toThrow(
      expect.objectContaining({
        code: 'conflict',
        message:
          "slice 'office' still has something on n1: rule from 10.1.0.0/16 lookup 50001, filter pl-vnm-pv001-tunnels",
        hint: 'run pl-vnm uninstall office with the database that it was installed with',
      }),
    );
    expect(refuse('filter pl-vnm-pv001-tunnels')).toThrow(
      expect.objectContaining({ hint: 'run on the node: nft delete table inet pl-vnm-pv001-tunnels' }),
    );
  });

  it('an incomplete answer gives no list', () => {
    expect(parseList('pl-vnm interface lo\n')).toBeUndefined();
  });
});

/** The slices of the gallery with routing daemons. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { routerNames } from '../../src/model/router.ts';
import { planDaemon } from '../../src/planning/daemons/index.ts';
import { planInstance } from '../../src/planning/instance.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { checkDaemonConfig, protocolsIn } from '../../src/vsys/daemon-config.ts';

const pathOf = (name: string) => fileURLToPath(new URL(`../../slices/${name}`, import.meta.url));

test.each([
  ['abilene-ospf', ['ospf']],
  ['four-systems', ['bgp']],
] as const)('%s has no faults, and every router has a configuration on every placement', (name, protocols) => {
  const slice = readSlice(pathOf(`${name}.yaml`));
  const vn = slice.vns[0]!;
  [...vn.placements.values()].forEach((placement, slot) => {
    const instance = planInstance(slice, vn, placement, slot);
    for (const router of routerNames(vn)) {
      const { kind, config } = planDaemon(planVn(slice, vn), instance, router);
      checkDaemonConfig(kind, config);
      expect(protocolsIn(kind, config)).toEqual(protocols);
    }
  });
});

test('four-systems has the statements of its file in router d only', () => {
  const slice = readSlice(pathOf('four-systems.yaml'));
  const text = readFileSync(pathOf('four-systems-d.conf'), 'utf8');
  const routers = slice.vns[0]!.routers.filter(({ config }) => 'text' in config && config.text === text);
  expect(routers.map(({ name }) => name)).toEqual(['d']);
});

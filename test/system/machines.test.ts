/** A VN with a virtual machine as a router, which speaks OSPF with a routing daemon, migrates whole without loss. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { LiveStatus } from '../../src/controller/live.ts';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import type { VerifyResult } from '../../src/controller/probe/verify-vn.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { describeAsRootUnless } from '../support/privileges.ts';
import { lackForRouterImage, routerImage } from '../support/router-image.ts';

const text = (image: string) => `slice: boxes
vnet: 10.67.0.0/16
substrate:
  nodes: { p1: {}, p2: {}, p3: {}, g1: {}, g2: {}, h1: {}, h2: {} }
vn:
  name: vn
  routing: { protocol: ospf, hello: 1, dead: 4 }
  routers:
    - { name: a, kind: image, image: ${image}, memory: 96M }
    - { name: b, kind: bird }
  links: [[a, b, 10]]
  gateways: { ga: { node: g1, router: a }, gb: { node: g2, router: b } }
  endHosts: { ea: { node: h1, gateway: ga }, eb: { node: h2, gateway: gb } }
  flows:
    - { from: ea, to: eb, rate: 500kbps, payload: 1000 }
    - { from: eb, to: ea, rate: 500kbps, payload: 1000 }
placements:
  initial: { a: p1, b: p2 }
  final: { a: p3, b: p2 }
`;

describeAsRootUnless(lackForRouterImage(), 'a VN with a virtual machine', () => {
  const own = ownTestbed(
    (directory) => {
      const file = join(directory, 'boxes.yaml');
      writeFileSync(file, text(routerImage()));
      return file;
    },
    '--dataplane',
    'kernel',
  );
  const vnm = (words: string) => own.vnm.run(words);

  beforeAll(async () => {
    await own.vnm.ok('install', join(own.vnm.directory, 'boxes.yaml'));
  });

  it('its end hosts reach each other by the routes of the guest', async () => {
    expect(await own.vnm.ok<VerifyResult>('verify boxes')).toMatchObject({ ok: true });
    const live = await own.vnm.ok<LiveStatus>('status boxes --live');
    expect(live).toMatchObject({ equal: true, differences: [] });
    expect(live.machines).toMatchObject([{ router: 'a', node: 'p1', state: 'running', answers: true, restarts: 0 }]);
    const { stdout, code } = await vnm('exec boxes a -- birdc -s /run/bird.ctl show ospf neighbors');
    expect({ stdout, code }).toMatchObject({ stdout: expect.stringContaining('Full'), code: 0 });
  });

  it('what needs its forwarding table is refused', async () => {
    const { stderr } = await vnm('migrate boxes --method vroom --to final');
    expect(stderr).toContain("router 'a' is a virtual machine, whose routes cannot be read");
    expect((await vnm('ping boxes a b')).stderr).toContain('nothing can be sent from there');
  });

  it('it migrates without loss, and nothing is left of the old one', async () => {
    const result = await own.vnm.ok<MigrateResult>('migrate boxes --to final --traffic');
    expect(result.flows).toMatchObject([{ lost: 0 }, { lost: 0 }]);
    const live = await own.vnm.ok<LiveStatus>('status boxes --live');
    expect(live).toMatchObject({ equal: true });
    expect(live.machines).toMatchObject([{ router: 'a', node: 'p3', state: 'running' }]);
    await own.vnm.ok('uninstall boxes');
  });
});

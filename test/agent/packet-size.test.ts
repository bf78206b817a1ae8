/**
 * Tests which packet sizes a path carries when nothing reports them: a veth silently drops what its other end has no
 * room for.
 */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { packetSizes } from '../../src/agent/dataplane/kernel/packet-size.ts';
import { describeAsRoot, uniqueName } from '../support/privileges.ts';

describeAsRoot('packetSizes', () => {
  const [near, far] = [uniqueName('psn'), uniqueName('psf')];
  const ip = (...words: string[]) => execFileSync('ip', words);
  const links = [
    { index: 1, mtu: 1500 },
    // A veth leaves room for the four bytes of a VLAN tag.
    { index: 2, mtu: 1346 },
    { index: 3, mtu: 573 },
  ];

  /** Link i: 10.9.i.1 near - 10.9.i.2 far; only near assumes 1500 bytes. */
  beforeAll(() => {
    for (const namespace of [near, far]) ip('netns', 'add', namespace);
    for (const { index, mtu } of links) {
      ip('-n', near, 'link', 'add', `v${index}`, 'type', 'veth', 'peer', 'name', `v${index}`, 'netns', far);
      ip('-n', near, 'address', 'add', `10.9.${index}.1/24`, 'dev', `v${index}`);
      ip('-n', far, 'address', 'add', `10.9.${index}.2/24`, 'dev', `v${index}`);
      ip('-n', far, 'link', 'set', `v${index}`, 'mtu', String(mtu));
      for (const namespace of [near, far]) ip('-n', namespace, 'link', 'set', `v${index}`, 'up');
    }
  });

  afterAll(() => {
    const existing = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' });
    for (const name of [near, far]) if (existing.includes(name)) ip('netns', 'delete', name);
  });

  const probe = (from: string, to: string, namespace = near) => ({ namespace, from, to });
  const sizes = (probes: ReturnType<typeof probe>[], largest: number) =>
    packetSizes({ probes, smallest: 128, largest, timeoutMs: 1500 });

  it('packetSizes finds the largest size of each path to the byte', async () => {
    const probes = links.map(({ index }) => probe(`10.9.${index}.1`, `10.9.${index}.2`));
    expect(await sizes(probes, 1500)).toEqual({ sizes: [1500, 1350, 577] });
    expect(await sizes(probes, 1350)).toEqual({ sizes: [1350, 1350, 577] });
    expect(await sizes(probes, 577)).toEqual({ sizes: [577, 577, 577] });
  });

  it('packetSizes finds no size if nothing answers, the address is missing, or there is no route', async () => {
    const probes = [
      probe('10.9.1.1', '10.9.1.9'),
      probe('10.9.1.7', '10.9.1.2'),
      probe('10.9.1.1', '192.0.2.1'),
      probe('10.9.1.1', '10.9.1.2'),
      probe('10.9.1.2', '10.9.1.1', far),
    ];
    expect(await sizes(probes, 1400)).toEqual({ sizes: [null, null, null, 1400, 1400] });
  });

  it('packetSizes finds no size in a missing namespace', async () => {
    expect(await sizes([probe('10.9.1.1', '10.9.1.2', 'pv-none')], 1400)).toEqual({ sizes: [null] });
  });
});

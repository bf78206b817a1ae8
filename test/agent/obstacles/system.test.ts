import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newInterfaceObstacles } from '../../../src/agent/obstacles/new-interfaces.ts';
import { type RuleJson, ruleObstacles } from '../../../src/agent/obstacles/routing-rules.ts';
import { portObstacles } from '../../../src/agent/obstacles/tunnel-port.ts';

describe('a routing rule before those of the slice', () => {
  const tables: Record<string, string[]> = { vpn: ['default'], main: ['10.0.0.0/24'], other: ['192.0.2.0/24'] };
  const asked = { vnet: '10.70.0.0/16', priority: 10_968 };
  const found = (rule: Partial<RuleJson>) =>
    ruleObstacles([{ priority: 100, src: 'all', ...rule }], (table) => tables[table] ?? [], asked).map(
      ({ message }) => message,
    );

  it.each<Partial<RuleJson>>([
    { table: 'vpn' },
    { table: 'vpn', not: null, fwmark: '0xca6c' },
    { table: 'vpn', src: '10.70.1.0', srclen: 24 },
    // The kernel shows `from 10.70.1.7/24` in this way.
    { table: 'vpn', src: '10.70.1.7', srclen: 24 },
  ])('a routing rule that sends the subnet elsewhere is an obstacle: %j', (rule) => {
    expect(found(rule)).toEqual([
      'routing rule 100 precedes the rules of the slice (10968) and sends 10.70.0.0/16 to table vpn (route to default)',
    ]);
  });

  it.each<Partial<RuleJson>>([
    { table: 'main' },
    { table: 'other' },
    { table: 'local' },
    { table: '255' },
    { table: 'vpn', fwmark: '0xca6c' },
    { table: 'vpn', iif: 'wg0' },
    { table: 'vpn', dst: '10.80.0.0', dstlen: 16 },
    { table: 'vpn', dst: '10.80.0.1', dstlen: 16 },
    { table: 'vpn', priority: 32_764 },
  ])('a routing rule that does not send the subnet elsewhere is not an obstacle: %j', (rule) =>
    expect(found(rule)).toEqual([]),
  );
});

describe('the port of tunnels', () => {
  it('a program that holds the port of tunnels is an obstacle', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    const obstacles = await portObstacles(port);
    expect(obstacles).toMatchObject([{ kind: 'tunnel-port', blocks: true }]);
    expect(obstacles[0]!.message).toMatch(
      new RegExp(`^UDP port ${port}, .* is held by '.+' \\(process ${process.pid}\\)$`),
    );
    socket.close();
    await once(socket, 'close');
    expect(await portObstacles(port)).toEqual([]);
  });
});

describe('what the system does to new interfaces', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'pl-vnm-system-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));
  function put(path: string, text = ''): void {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const look = async () => {
    const places = { run: join(root, 'run'), etc: [join(root, 'lib'), join(root, 'etc')] };
    const obstacles = await newInterfaceObstacles('pv0qw-', places);
    expect(obstacles.every(({ blocks }) => !blocks)).toBe(true);
    return obstacles.map(({ message }) => message);
  };

  it('a system without these programs has no obstacles', async () => {
    put('etc/sysctl.d/50-default.conf', 'net.ipv4.conf.*.rp_filter = 2\n');
    expect(await look()).toEqual([]);
  });

  it('systemd-networkd is an obstacle until it leaves foreign routes and rules alone', async () => {
    put('run/systemd/netif/state');
    put('etc/systemd/networkd.conf', '[Network]\n#ManageForeignRoutes=yes\n');
    expect(await look()).toEqual([
      'systemd-networkd removes routes and rules that it did not make whenever it is restarted',
    ]);
    put(
      'etc/systemd/networkd.conf.d/ours.conf',
      '[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules = no\n',
    );
    expect(await look()).toEqual([]);
  });

  it('NetworkManager is an obstacle until it leaves the interfaces alone', async () => {
    put('run/NetworkManager/state');
    expect(await look()).toEqual(['NetworkManager may manage new interfaces (pv0qw-*)']);
    put(
      'etc/NetworkManager/conf.d/ours.conf',
      '[keyfile]\nunmanaged-devices=mac:00:00:00:00:00:01;interface-name:pv*\n',
    );
    expect(await look()).toEqual([]);
  });

  it('sysctl files that udev applies are an obstacle', async () => {
    put('run/udev/control');
    put('lib/sysctl.d/50-default.conf', '-net.ipv4.conf.*.rp_filter = 2\nnet.ipv4.conf.*.accept_source_route = 0\n');
    expect(await look()).toEqual([
      'the system sets rp_filter = 2 on every new interface (net.ipv4.conf.*.rp_filter in its sysctl files)',
    ]);
    put('etc/sysctl.d/99-pl-vnm.conf', '-net.ipv4.conf.pv*.rp_filter\n');
    expect(await look()).toEqual([]);
  });
});

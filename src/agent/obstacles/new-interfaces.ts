/** What the system does to interfaces, routes and rules that it did not create. None of this certainly stops a VN. */
import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Obstacle } from '../../vsys/obstacle.ts';

/** The directories of the system's runtime state and of its settings. */
interface SystemPlaces {
  readonly run: string;
  /** Later ones override earlier ones. */
  readonly etc: readonly string[];
}

const usualPlaces: SystemPlaces = { run: '/run', etc: ['/usr/lib', '/lib', '/run', '/etc'] };

export async function newInterfaceObstacles(interfacePrefix: string, places = usualPlaces): Promise<Obstacle[]> {
  return [
    ...(await networkd(places)),
    ...(await networkManager(interfacePrefix, places)),
    ...(await sysctls(interfacePrefix, places)),
  ];
}

async function networkd({ run, etc }: SystemPlaces): Promise<Obstacle[]> {
  if (!(await isThere(join(run, 'systemd/netif/state')))) return [];
  const text = await settings(etc, 'systemd/networkd.conf', 'systemd/networkd.conf.d');
  const kept = ['ManageForeignRoutes', 'ManageForeignRoutingPolicyRules'].filter(
    (key) => !new RegExp(`^\\s*${key}\\s*=\\s*(no|false|0|off)\\s*$`, 'im').test(text),
  );
  if (kept.length === 0) return [];
  return [
    {
      kind: 'new-interfaces',
      message: 'systemd-networkd removes routes and rules that it did not make whenever it is restarted',
      hint: `put '[Network]' and ${kept.map((key) => `'${key}=no'`).join(' and ')} into /etc/systemd/networkd.conf.d/pl-vnm.conf and restart it before install`,
      blocks: false,
    },
  ];
}

async function networkManager(interfacePrefix: string, { run, etc }: SystemPlaces): Promise<Obstacle[]> {
  if (!(await isThere(join(run, 'NetworkManager')))) return [];
  const text = await settings(etc, 'NetworkManager/NetworkManager.conf', 'NetworkManager/conf.d');
  const isLeftAlone = text
    .split('\n')
    .filter((line) => /^\s*unmanaged-devices\s*[+]?=/.test(line))
    .flatMap((line) => [...line.matchAll(/interface-name:([^;,\s]+)/g)].map(([, name]) => name!))
    .some((name) => name.endsWith('*') && interfacePrefix.startsWith(name.slice(0, -1)));
  if (isLeftAlone) return [];
  return [
    {
      kind: 'new-interfaces',
      message: `NetworkManager may manage new interfaces (${interfacePrefix}*)`,
      hint: "put '[keyfile]' and 'unmanaged-devices=interface-name:pv*' into /etc/NetworkManager/conf.d/pl-vnm.conf and reload it",
      blocks: false,
    },
  ];
}

/** Finds sysctl settings that udev applies to each new interface, after the agent has configured it. */
async function sysctls(interfacePrefix: string, { run, etc }: SystemPlaces): Promise<Obstacle[]> {
  if (!(await isThere(join(run, 'udev/control')))) return [];
  const text = await settings(etc, 'sysctl.conf', 'sysctl.d');
  const set = [...text.matchAll(/^\s*-?net[./]ipv4[./]conf[./]\*[./](rp_filter|forwarding)\s*=\s*(\d)\s*$/gm)];
  const last = new Map(set.map(([, key, value]) => [key!, value!]));
  // A line without a value excludes the interfaces that it matches.
  const leftOut = [...text.matchAll(/^\s*-net[./]ipv4[./]conf[./]([^./*]+)\*[./](\w+)\s*$/gm)]
    .filter(([, beginning]) => interfacePrefix.startsWith(beginning!))
    .map(([, , key]) => key);
  const isWrong = (key: string, value: string) => (key === 'rp_filter' ? value !== '1' : value === '0');
  const wrong = [...last].filter(([key, value]) => isWrong(key, value) && !leftOut.includes(key));
  return wrong.map(([key, value]) => ({
    kind: 'new-interfaces',
    message: `the system sets ${key} = ${value} on every new interface (net.ipv4.conf.*.${key} in its sysctl files)`,
    hint: `put '-net.ipv4.conf.${interfacePrefix.slice(0, 2)}*.${key}' into /etc/sysctl.d/99-pl-vnm.conf, which excludes these interfaces`,
    blocks: false,
  }));
}

/** Returns the text of a settings file and of its drop-in directory, from all places. */
async function settings(etc: readonly string[], file: string, directory: string): Promise<string> {
  const texts = await Promise.all(
    etc.map(async (root) => {
      const names = await readdir(join(root, directory)).catch(() => []);
      const paths = [
        join(root, file),
        ...names
          .filter((name) => name.endsWith('.conf'))
          .sort()
          .map((name) => join(root, directory, name)),
      ];
      return Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => '')));
    }),
  );
  return texts.flat().join('\n');
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

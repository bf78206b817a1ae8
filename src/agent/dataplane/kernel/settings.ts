/**
 * Files below /proc/sys/net: accessed directly in the node's own stack, and through a process that enters a namespace.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { messageOf, VnmError } from '../../../model/errors.ts';
import type { UrpfMode } from '../../../model/route.ts';
import { kernelWords, ownStack } from './ip.ts';
import { quietEarlierInterface, quietInterface, quietRouter } from './quiet.ts';
import { run } from './run.ts';
import { describeStack, type Link, type Settings } from './state.ts';

const root = '/proc/sys/net';

/**
 * Returns the value of rp_filter. The kernel checks an interface by the larger of `conf/all` and its own value.
 * Feasible mode is a strict check of all members of a group.
 */
function reversePathValue(urpf: UrpfMode): string {
  return urpf === 'loose' ? '2' : '1';
}

/**
 * Returns the settings of a router namespace. The mode is only in `all`, so that it applies to every interface and can
 * be changed.
 */
export function routerSettings(urpf: UrpfMode): Settings {
  return new Map([
    ['ipv4/ip_forward', '1'],
    ['ipv4/conf/default/rp_filter', '0'],
    ['ipv4/conf/all/rp_filter', reversePathValue(urpf)],
    // A redirected group need not send a notification for each of its routes.
    ['ipv4/nexthop_compat_mode', '0'],
    // Each probe must be answered by "port unreachable".
    ['ipv4/icmp_ratelimit', '0'],
    ...quietRouter(),
  ]);
}

/** Returns the files to read of a router namespace with these interfaces. */
export function routerSettingFiles(links: readonly Link[]): string[] {
  return [...routerSettings('strict').keys(), ...links.flatMap((link) => [...quietEarlierInterface(link).keys()])];
}

/** Returns the settings of one interface of the node's own stack; without a mode its check stays as the node has it. */
export function interfaceSettings(name: string, urpf?: UrpfMode): Settings {
  return new Map([
    [`ipv4/conf/${name}/forwarding`, '1'],
    ...(urpf === undefined ? [] : ([[`ipv4/conf/${name}/rp_filter`, reversePathValue(urpf)]] as const)),
  ]);
}

export function interfaceSettingFiles(link: Link): string[] {
  return [...interfaceSettings(link.name, 'strict').keys(), ...quietInterface(link).keys()];
}

export async function readSettings(namespace: string, files: readonly string[]): Promise<Settings> {
  if (namespace === ownStack) return readOwn(files);
  const values = (await inside(namespace, 'cat', files)).split('\n');
  return new Map(files.map((file, index) => [file, values[index]!.trim()]));
}

/**
 * Reads synchronously, since a read takes some microseconds and there are many. Skips the settings of an interface that
 * has gone meanwhile.
 */
function readOwn(files: readonly string[]): Settings {
  const values = new Map<string, string>();
  for (const file of files) {
    try {
      values.set(file, readFileSync(`${root}/${file}`, 'utf8').trim());
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return values;
}

/** Throws VnmError `failed`. */
export async function writeSettings(namespace: string, settings: Settings): Promise<void> {
  if (namespace === ownStack) {
    for (const [file, value] of settings) await writeOwn(file, value);
    return;
  }
  for (const value of new Set(settings.values())) {
    const files = [...settings.keys()].filter((file) => settings.get(file) === value);
    await inside(namespace, 'tee', files, value);
  }
}

async function writeOwn(file: string, value: string): Promise<void> {
  try {
    await writeFile(`${root}/${file}`, value);
  } catch (error) {
    throw new VnmError('failed', `cannot set ${file} to ${value}: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Runs a command in a namespace. Not with `ip netns exec`: its own view of /sys would hide what the agent creates
 * later.
 */
async function inside(
  namespace: string,
  command: 'cat' | 'tee',
  files: readonly string[],
  stdin = '',
): Promise<string> {
  const paths = files.map((file) => `${root}/${file}`);
  const { code, stdout, stderr } = await run(
    'nsenter',
    [`--net=/run/netns/${namespace}`, '--', command, ...paths],
    stdin,
  );
  if (code === 0) return stdout;
  const what = command === 'tee' ? `cannot set ${files.join(', ')} to ${stdin}` : `cannot read ${files.join(', ')}`;
  throw new VnmError('failed', `${what}${describeStack(namespace)}: ${kernelWords(stderr)}`);
}

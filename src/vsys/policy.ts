/**
 * The policy file of a slice on a node: what its agent may do there. Root owns it; the slice's login cannot change it.
 */
import * as z from 'zod';
import { overlaps, parsePrefix } from '../model/address.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import type { IdRange } from '../model/ids.ts';
import { sharedLimits } from '../model/limits.ts';

const idRange = z.strictObject({ first: z.int().min(1), last: z.int().min(1) });

export const policySchema = z.strictObject({
  slice: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/),
  vnet: z.cidrv4(),
  interfacePrefix: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,9}$/),
  namespacePrefix: z.string().regex(/^[a-z0-9][a-z0-9._-]{1,63}$/),
  table: z.int().min(1000).max(0x7fffffff),
  rulePriority: z.int().min(1).max(32_000),
  nexthops: idRange,
  vnis: idRange,
  /**
   * Present where the slice has the userspace data plane: where its agent receives tunnel packets. On loopback the
   * other nodes of the slice are on this machine, too.
   */
  userspace: z.strictObject({ address: z.ipv4(), port: z.int().min(1024).max(65_535) }).optional(),
  /** Names of allowed operations and methods; `*` for all, on a shared node except those in `namedOnly`. */
  operations: z.array(z.string().regex(/^(\*|[a-z_]+)$/)).default(['*']),
  limits: z
    .strictObject({
      namespaces: z.int().min(0).default(sharedLimits.namespaces),
      tunnels: z.int().min(0).default(sharedLimits.tunnels),
      routes: z.int().min(0).default(sharedLimits.routes),
      daemons: z.int().min(0).optional(),
      machines: z.int().min(0).default(sharedLimits.machines),
      machineMib: z.int().min(0).default(sharedLimits.machineMib),
      imageMib: z.int().min(0).default(sharedLimits.imageMib),
      armed: z.int().min(0).default(sharedLimits.armed),
      streams: z.int().min(0).default(sharedLimits.streams),
      /** The most payload bits per second that this agent sends as test traffic, in total. */
      trafficBps: z.number().min(0).default(sharedLimits.trafficBps),
    })
    // A policy of an earlier version has no limit for daemons: each router may have one.
    .transform(({ daemons, ...limits }) => ({ ...limits, daemons: daemons ?? limits.namespaces }))
    .prefault({}),
});

export type Policy = z.infer<typeof policySchema>;

/**
 * What `*` does not include on a shared node. `exec_as_root` is no method: with it, what `exec` runs there runs as root
 * and not as the slice's login. They are names and not a field of their own, because an agent of an earlier version
 * takes a policy with an unknown field for invalid, and then would not protect that slice's subnet.
 * `machine_up` runs a system of the user's choice, which sends whatever it likes into its links.
 */
export const namedOnly = [
  'exec',
  'capture',
  'exec_as_root',
  'daemon_dump',
  'daemon_restore',
  'machine_up',
  'machine_copy',
] as const;

/** What two slices may not have in common on a node, in words; undefined if they have nothing in common. */
export function sharedBy(one: Policy, other: Policy): string | undefined {
  const begin = (a: string, b: string) => a.startsWith(b) || b.startsWith(a);
  if (overlaps(parsePrefix(one.vnet), parsePrefix(other.vnet))) return `addresses (${one.vnet} and ${other.vnet})`;
  if (begin(one.interfacePrefix, other.interfacePrefix)) return `interface names (${one.interfacePrefix})`;
  if (begin(one.namespacePrefix, other.namespacePrefix)) return `namespace names (${one.namespacePrefix})`;
  if (one.table === other.table) return `routing table ${one.table}`;
  if (one.rulePriority === other.rulePriority) return `rule priority ${one.rulePriority}`;
  const nexthops = commonIds(one.nexthops, other.nexthops);
  if (nexthops !== undefined) return `nexthop ids (${nexthops})`;
  const vnis = commonIds(one.vnis, other.vnis);
  return vnis === undefined ? undefined : `VNIs (${vnis})`;
}

function commonIds(one: IdRange, other: IdRange): string | undefined {
  const [first, last] = [Math.max(one.first, other.first), Math.min(one.last, other.last)];
  return first > last ? undefined : `${first} to ${last}`;
}

/** Whether the policy allows an operation or method. `isOwnNode`: its login is root or may become root. */
export function allowsName({ operations }: Policy, name: string, isOwnNode: boolean): boolean {
  const isAmongAll = isOwnNode || !namedOnly.some((one) => one === name);
  return operations.includes(name) || (isAmongAll && operations.includes('*'));
}

/**
 * Returns the policy as it is written. Limits of later versions are left out where they are the usual ones: agents of
 * earlier versions, which guard the subnets of all slices on a node, take a policy with an unknown field for invalid.
 */
export function writablePolicy({ limits, ...policy }: Policy): unknown {
  const usual = { ...machineLimits, daemons: limits.namespaces };
  const isUsual = ([name, value]: [string, number]) => usual[name as keyof typeof usual] === value;
  return { ...policy, limits: Object.fromEntries(Object.entries(limits).filter((limit) => !isUsual(limit))) };
}

const { machines, machineMib, imageMib } = sharedLimits;
const machineLimits = { machines, machineMib, imageMib };

/** Encodes the policy as one word of a command. */
export function encodePolicy(policy: Policy): string {
  return Buffer.from(JSON.stringify(writablePolicy(policy))).toString('base64url');
}

/** Throws VnmError `usage`. */
export function decodePolicy(text: string): Policy {
  try {
    return policySchema.parse(JSON.parse(Buffer.from(text, 'base64url').toString()));
  } catch (error) {
    throw new VnmError('usage', `invalid --policy: ${messageOf(error)}`, { cause: error });
  }
}

/** The hosts and addresses of a slice's nodes. */

import { lookup } from 'node:dns/promises';
import { isIPv4 } from 'node:net';
import { VnmError } from '../../model/errors.ts';
import { userspacePort } from '../../model/ids.ts';
import type { NodeName } from '../../model/names.ts';
import type { Slice, SubstrateNode } from '../../model/slice.ts';
import { noWay } from '../../model/ssh-way.ts';
import type { TestbedPlaces } from '../../store/testbeds.ts';
import type { AgentTarget } from '../../transport/agent-connection.ts';
import { hostNameOf } from '../../transport/ssh-route.ts';
import type { Context } from '../base/context.ts';

export interface Place {
  readonly target: AgentTarget;
  readonly node: SubstrateNode;
  readonly testbedAddress?: string;
  /** The UDP port for tunnel packets of a node on a userspace testbed. */
  readonly tunnelPort?: number;
}

/** Finds the host of each node in the slice file or in the local testbed. Throws VnmError `not-found`. */
export function placesOf(context: Context, slice: Slice, names: readonly string[]): Place[] {
  const row = context.store.testbeds.forSlice(slice.name);
  const testbed = row?.record == null ? undefined : (JSON.parse(row.record) as TestbedPlaces);
  return names.map((name) => {
    const node = slice.nodes.get(name);
    if (node === undefined) throw new VnmError('not-found', `slice '${slice.name}' has no substrate node '${name}'`);
    if (node.host !== undefined) {
      const { host, port, user, key, patience, ssh } = node;
      const target = {
        node: name,
        slice: slice.name,
        host,
        ...(port === undefined ? {} : { port }),
        ...(user === undefined ? {} : { user }),
        ...(ssh === undefined ? {} : { ssh }),
        ...(key === undefined ? {} : { keyPath: key }),
        ...(patience === undefined ? {} : { patience }),
        ...(node.dataplane === undefined ? {} : { userspacePort: userspacePort(slice.number) }),
      };
      return { target, node };
    }
    const place = testbed?.nodes.find((candidate) => candidate.name === name);
    if (testbed === undefined || place === undefined) {
      throw new VnmError(
        'not-found',
        `node '${name}' of slice '${slice.name}' has no host, and is on no local testbed`,
        {
          hint: `run pl-vnm testbed up SLICE.yaml, or give the node a host in the slice file`,
        },
      );
    }
    const { host, port, user, key: keyPath, address, agentDirectory } = place;
    const tunnelPort = place.tunnelPorts?.[slice.name];
    const { patience } = node;
    const target = {
      ...{ node: name, slice: slice.name, host, port, user, keyPath, knownHostsPath: testbed.knownHosts },
      // The user's SSH configuration knows nothing of it.
      ssh: { config: noWay },
      ...(patience === undefined ? {} : { patience }),
      ...(tunnelPort === undefined ? {} : { userspacePort: tunnelPort }),
      ...(agentDirectory === undefined ? {} : { agentDirectory }),
    };
    return { target, node, testbedAddress: address, ...(tunnelPort === undefined ? {} : { tunnelPort }) };
  });
}

/** Finds the IPv4 address that other nodes send tunnel packets to, or why there is none. */
export async function findAddress({
  node,
  target,
  testbedAddress,
}: Place): Promise<{ node: NodeName; address: string | VnmError }> {
  const address = node.address ?? testbedAddress ?? (await hostNameOf(target).catch(() => target.host));
  if (isIPv4(address)) return { node: node.name, address };
  try {
    const found = await lookup(address, { family: 4 });
    // A numeric IPv6 address comes back unchanged.
    if (found.family !== 4) throw new Error(`'${address}' is an IPv6 address`);
    return { node: node.name, address: found.address };
  } catch (cause) {
    const hint = "give the node an 'address' in the slice file: the IPv4 address where the other nodes reach it";
    const why = (await hasIPv6(address)) ? '; it has only IPv6, which works for SSH but not for tunnels' : '';
    const what = `node '${node.name}': no IPv4 address for '${address}'${why}`;
    const error = new VnmError('unreachable', what, { hint, cause });
    return { node: node.name, address: error };
  }
}

async function hasIPv6(host: string): Promise<boolean> {
  return lookup(host, { family: 6 }).then(
    () => true,
    () => false,
  );
}

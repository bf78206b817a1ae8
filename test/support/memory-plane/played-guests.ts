/** The guests of a host in memory: they forward by their configuration disk, and move to other hosts. */
import { portState } from '../../../src/agent/dataplane/planner/ports.ts';
import type { KnownMachine } from '../../../src/agent/dataplane/planner/state.ts';
import type { GuestMoving } from '../../../src/agent/guests/moving.ts';
import { VnmError } from '../../../src/model/errors.ts';
import type { PortState } from '../../../src/vsys/machine.ts';
import type { At, Host } from './network.ts';

const copyText = 'a guest';
const copyBytes = Buffer.byteLength(copyText);

/** `inTurn`: runs one body after the other, with all other requests to the host. */
export function playGuests(host: Host, inTurn: <T>(body: () => T) => Promise<T>): GuestMoving {
  const arrived = new Map<string, { bytes: number; isWhole: boolean }>();
  const copies = new Set<string>();

  function machineIn(namespace: string): KnownMachine {
    const machine = host.state.machines?.get(namespace);
    if (machine !== undefined) return machine;
    throw new VnmError('not-found', `there is no virtual machine in namespace '${namespace}'`);
  }

  function put(namespace: string, state: KnownMachine['state']): void {
    const machines = new Map(host.state.machines).set(namespace, { ...machineIn(namespace), state });
    host.state = { ...host.state, machines };
  }

  return {
    copy: ({ namespace, how }) =>
      inTurn(() => {
        if (machineIn(namespace).state !== 'running') throw new VnmError('conflict', 'it does not run');
        copies.add(namespace);
        if (how !== 'running') put(namespace, 'moving');
        return how === 'live' ? {} : { bytes: copyBytes, totalMs: 1, frozenMs: 1, rounds: 1, writeBytesPerS: 1e9 };
      }),
    read: ({ namespace, offset }) =>
      inTurn(() => {
        if (!copies.has(namespace)) throw new VnmError('not-found', 'there is no copy of the machine');
        if (offset === 0) return { data: Buffer.from(copyText).toString('base64'), bytes: copyBytes };
        return { data: '', bytes: 0, copy: { bytes: copyBytes, totalMs: 1, frozenMs: 1, rounds: 1 } };
      }),
    write: ({ namespace, offset, data }) =>
      inTurn(() => {
        if (machineIn(namespace).state !== 'moving') throw new VnmError('conflict', 'it waits for no copy');
        const { bytes } = offset === 0 ? { bytes: 0 } : (arrived.get(namespace) ?? { bytes: 0 });
        if (bytes !== offset) throw new VnmError('conflict', `the copy has ${bytes} bytes so far`);
        arrived.set(namespace, { bytes: bytes + Buffer.byteLength(data, 'base64'), isWhole: data === '' });
      }),
    goOn: (namespace) =>
      inTurn(() => {
        if (machineIn(namespace).state === 'running') return;
        if (!copies.has(namespace) && arrived.get(namespace)?.isWhole !== true)
          throw new VnmError('conflict', 'the copy is not complete');
        arrived.delete(namespace);
        copies.delete(namespace);
        put(namespace, 'running');
      }),
  };
}

/** What a guest knows. */
interface Guest {
  readonly ports: PortState | 'damaged';
  readonly addresses: readonly string[];
  /** The MAC addresses of its neighbours. */
  readonly macs: ReadonlyMap<string, string>;
  readonly routes: readonly { readonly prefix: string; readonly interface: string; readonly via?: string }[];
}

/** The guest that runs in a namespace; `silent` for one that does not run, or whose ports are closed. */
export function guestAt({ host, namespace }: At): Guest | 'silent' | undefined {
  const known = host.state.machines?.get(namespace);
  if (known === undefined) return undefined;
  const { machine, state } = known;
  const ports = portState(machine.ports, host.state.stacks.get(namespace)?.portRules);
  if (state !== 'running' || ports === 'closed') return 'silent';
  const interfaceTo = (via: string) => machine.ports.find(({ peer }) => peer.address === via)!.interface;
  const lines = machine.files['router.conf']!.split('\n').map((line) => line.split(' '));
  return {
    ports,
    addresses: machine.ports.map(({ address }) => address),
    macs: new Map(machine.ports.map(({ peer }) => [peer.address, peer.mac])),
    routes: [
      ...machine.ports.map(({ interface: name, peer }) => ({ prefix: `${peer.address}/32`, interface: name })),
      ...lines
        .filter(([word]) => word === 'route')
        .map(([, prefix, , via]) => ({ prefix: prefix!, via: via!, interface: interfaceTo(via!) })),
    ],
  };
}

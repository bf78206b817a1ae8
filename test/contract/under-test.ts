/** A plane as the contract's tests see it. */
import type { OperationInput } from '../../src/vsys/operations.ts';
import type { Policy } from '../../src/vsys/policy.ts';
import type { RpcClient } from '../../src/vsys/rpc.ts';

export interface NodeUnderTest {
  /** The address where the other nodes' tunnels reach it. */
  readonly address: string;
  /** Where it receives, if not at the port of VXLAN. */
  readonly port?: number;
  /** Of its tunnels to other nodes. */
  readonly tunnelKind: 'vxlan' | 'udp';
  readonly policy: Policy;
  readonly call: RpcClient['call'];
}

export interface NetworkUnderTest {
  readonly nodes: readonly NodeUnderTest[];
  /** Lets time pass by the nodes' clocks. */
  pass(ms: number): Promise<void>;
  end(): Promise<void>;
}

export interface PlaneUnderTest {
  /** The name that `hello` returns. */
  readonly kind: string;
  start(nodes: number, limits?: Partial<Policy['limits']>): Promise<NetworkUnderTest>;
}

export async function apply({ call }: NodeUnderTest, ...list: OperationInput[]): Promise<string[]> {
  const { results } = await call('apply', { operations: list });
  return results.map(({ status }) => status);
}

export const inventoryOf = ({ call }: NodeUnderTest) => call('inventory', {});

/** The parameters that make gateways and the way to them as bad as those of a shared testbed. */
import * as z from 'zod';
import type { Slice, VirtualNetwork } from '../../model/slice.ts';
import { constant, type Delay, delayControl, exponential } from '../control/channel.ts';
import { loadGateways } from '../control/load.ts';
import { type InstalledVn, parameter } from './parameter.ts';
import { type PerGateway, perGateway, perNode } from './per-gateway.ts';

const maxControlDelayMs = 10_000;

export const gatewayConditions = {
  gatewayLoad: parameter({
    schema: perGateway(
      z.int().min(0).max(64).describe("busy loops on each gateway's node during the migration, 0 to 64; 0 if left out"),
    ),
    column: 'gateway_load',
    setUp: (loops, installed) => loadGateways(perNode(loops, installed.vn), installed),
  }),
  // After all that use the open connections: with their node's port they would be made again.
  controlDelayMs: parameter({
    schema: perGateway(
      z
        .number()
        .min(0)
        .max(maxControlDelayMs)
        .describe(
          'one-way latency in ms of the SSH connections to the gateways during the migration, 0 to 10000; 0 if left out',
        ),
    ),
    column: 'control_delay_ms',
    setUp: (ms, installed) => delayed(ms, constant, installed),
    refuse: refuseRealGateways,
  }),
  controlJitterMs: parameter({
    schema: perGateway(
      z
        .number()
        .min(0)
        .max(maxControlDelayMs)
        .describe(
          'mean in ms of a further, exponentially distributed latency of the same connections, 0 to 10000; 0 if left out',
        ),
    ),
    column: 'control_jitter_ms',
    setUp: (ms, installed) => delayed(ms, exponential, installed),
    refuse: refuseRealGateways,
  }),
} as const;

function delayed(ms: PerGateway, delayOf: (ms: number) => Delay, installed: InstalledVn) {
  const delays = [...perNode(ms, installed.vn)].map(([node, own]) => [node, delayOf(own)] as const);
  return delayControl(new Map(delays), installed);
}

function refuseRealGateways(ms: PerGateway, { name, nodes }: Slice, vn: VirtualNetwork): string | undefined {
  return [...perNode(ms, vn).keys()].some((node) => nodes.get(node)?.host !== undefined)
    ? `gateways of slice '${name}' have a host, whose control channel is as it is`
    : undefined;
}

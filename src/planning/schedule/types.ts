import type { GatewayName } from '../../model/names.ts';
import type { UrpfMode } from '../../model/route.ts';
import type { FlowPath, Uncertainty } from '../loss/types.ts';

export const scheduleNames = ['simultaneous', 'heuristic', 'optimal', 'hold', 'drain'] as const;
export type ScheduleName = (typeof scheduleNames)[number];

/** One redirection per gateway, or one per gateway and remote gateway. */
export type Granularity = Offsets['granularity'];

/**
 * When the redirections take effect, in ms after the common instant T; the first in each group of gateways connected by
 * flows is at 0.
 */
export type Offsets =
  | { readonly granularity: 'gateway'; readonly offsetsMs: ReadonlyMap<string, number> }
  /** Gateway -> remote gateway -> ms. Absent for a pair that no flow connects: it redirects at T. */
  | { readonly granularity: 'peer'; readonly offsetsMs: ReadonlyMap<string, ReadonlyMap<string, number>> };

/** When each redirection executes, and what the gates do. */
export type Schedule = Offsets & {
  readonly name: ScheduleName;
  /**
   * Gateways that hold the traffic of their end hosts; their redirections are all at T. Empty unless `hold` or `drain`.
   */
  readonly gates: ReadonlyMap<string, Gate>;
};

/** A gate. It opens after its gateway's redirection, and not before T + `releaseAfterMs`. */
export interface Gate {
  /** How long before T the gateway commands the gate to close. */
  readonly closeBeforeMs: number;
  readonly releaseAfterMs: number;
}

export interface ScheduleRequest {
  /** All gateways of the VN, including those without flows. */
  readonly gateways: readonly GatewayName[];
  readonly flows: readonly FlowPath[];
  readonly urpf: UrpfMode;
  readonly granularity: Granularity;
  readonly uncertainty: Uncertainty;
}

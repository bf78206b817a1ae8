import type { GatewayName } from '../../model/names.ts';
import type { UrpfMode } from '../../model/route.ts';
import type { FlowPath, Uncertainty } from '../loss/types.ts';

export const scheduleNames = ['simultaneous', 'heuristic', 'optimal', 'hold', 'drain'] as const;
export type ScheduleName = (typeof scheduleNames)[number];

/** One redirection per gateway, or one per gateway and remote gateway. */
export type Granularity = Offsets['granularity'];

/** When the redirections take effect, in ms after the common instant T; in each group of gateways joined by flows the first is at 0. */
export type Offsets =
  | { readonly granularity: 'gateway'; readonly offsetsMs: ReadonlyMap<string, number> }
  /** Gateway -> remote gateway -> ms. */
  | { readonly granularity: 'peer'; readonly offsetsMs: ReadonlyMap<string, ReadonlyMap<string, number>> };

/** When each redirection executes, and what the gates around it do. */
export type Schedule = Offsets & {
  readonly name: ScheduleName;
  /** Gateways that hold the traffic of their end hosts; all their redirections are at T. Empty unless `hold` or `drain`. */
  readonly gates: ReadonlyMap<string, Gate>;
};

/** The gate opens after the gateway's own redirection and not before T + `releaseAfterMs`. */
export interface Gate {
  /** The gateway commands the gate to close this long before T. */
  readonly closeBeforeMs: number;
  readonly releaseAfterMs: number;
}

export interface ScheduleRequest {
  /** All gateways of the VN, also those without flows. */
  readonly gateways: readonly GatewayName[];
  readonly flows: readonly FlowPath[];
  readonly urpf: UrpfMode;
  readonly granularity: Granularity;
  readonly uncertainty: Uncertainty;
}

/** One flow and its path from gateway to gateway, on the old and on the new instance of a migration. */
export interface FlowPath {
  /** End hosts. */
  readonly from: string;
  readonly to: string;
  /** Gateways, by name. */
  readonly source: string;
  readonly destination: string;
  /**
   * One-way latencies from gateway to gateway on each instance. A measured one contains the error of the clocks and may
   * be negative. It must not be clamped, because the same error shifts the redirections.
   */
  readonly oldMs: number;
  readonly newMs: number;
  /** How far the latency may be off; present if the probes spread too far to be trusted. */
  readonly oldSpreadMs?: number;
  readonly newSpreadMs?: number;
  /** The old instance delivers nothing, so no redirection can lose anything (`withoutOldPath`). */
  readonly isOldDown?: boolean;
  /** Packets per ms. */
  readonly ratePerMs: number;
  /** Rate x priority: the cost of one lost ms of this flow in a schedule's objective. */
  readonly weight: number;
  /** The size of one packet in front of the gateway, headers included. */
  readonly packetBytes: number;
}

/** The timing uncertainty of one gateway. */
export interface GatewayTiming {
  /** The bound of the clock's offset to the controller's (`e`). */
  readonly clockMs: number;
  /** A redirection takes effect up to this late (`x`), never early. */
  readonly latenessMs: number;
  /** Closing the gate takes effect up to this late (`y`), never early. */
  readonly gateLatenessMs: number;
}

/** Timing by gateway; a gateway that is not in the map acts exactly on time. */
export type Uncertainty = ReadonlyMap<string, GatewayTiming>;

/** The combined timing of two gateways, for a flow from one to the other. */
export interface FlowTiming {
  /** The redirections may be closer together than planned by this much (`a`). */
  readonly earlyMs: number;
  /** They may be further apart than planned by this much (`b`). */
  readonly lateMs: number;
  /** The larger of the two (`E`). */
  readonly widestMs: number;
}

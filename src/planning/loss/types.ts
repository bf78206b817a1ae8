/** One flow on its way from gateway to gateway, on the old and on the new instance of a migration. */
export interface FlowPath {
  /** End hosts. */
  readonly from: string;
  readonly to: string;
  /** Gateways, by name. */
  readonly source: string;
  readonly destination: string;
  /**
   * One-way latency from gateway to gateway on each instance. A measured one carries the error of the clocks and may be
   * negative: the same error moves the redirections, so it must not be clamped.
   */
  readonly oldMs: number;
  readonly newMs: number;
  /** Where the probes spread too far to be trusted: by so much the latency may differ. */
  readonly oldSpreadMs?: number;
  readonly newSpreadMs?: number;
  /** Nothing arrives over the old instance, so no redirection can lose anything of it (`withoutOldPath`). */
  readonly isOldDown?: boolean;
  /** Packets per ms. */
  readonly ratePerMs: number;
  /** Rate x priority: what one lost ms of this flow counts in a schedule's objective. */
  readonly weight: number;
  /** Size of one packet in front of the gateway, headers included. */
  readonly packetBytes: number;
}

/** How well the instants of one gateway are known. */
export interface GatewayTiming {
  /** The clock's offset to the controller's is known to within this (`e`). */
  readonly clockMs: number;
  /** A redirection takes effect up to this late (`x`), never early. */
  readonly latenessMs: number;
  /** Closing the gate takes effect up to this late (`y`), never early. */
  readonly gateLatenessMs: number;
}

/** Per gateway; one that is not in it acts exactly on time. */
export type Uncertainty = ReadonlyMap<string, GatewayTiming>;

/** What the timing of two gateways means for a flow from one to the other. */
export interface FlowTiming {
  /** The redirections may be closer together than planned by this much (`a`). */
  readonly earlyMs: number;
  /** They may be further apart than planned by this much (`b`). */
  readonly lateMs: number;
  /** The larger of both (`E`). */
  readonly widestMs: number;
}

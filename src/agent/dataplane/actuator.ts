/**
 * How a plane acts at an instant. The timing thread waits for the instants and knows no plane: what to do at an instant
 * is a step, which the plane made beforehand (`DataPlane.prepare`) and only its actuator understands. There are two
 * parts, since that thread has no event loop: the supplier runs in the agent's main thread, the actuator in the timing
 * thread. Messages between them are cloned.
 */

/** Runs in the timing thread. It acts only when called, and must not wait longer than necessary. */
export interface Actuator<Step = unknown, Supplies = unknown> {
  /** Takes the supplies, and is then ready for the steps that they are for. Throws VnmError `failed`. */
  take(supplies: Supplies): void;
  /** Does, some ms before the step's instant, what would take time at the instant. */
  warmUp(step: Step): void;
  /** Called less than a millisecond before the step's instant. Must return at once. */
  wake(step: Step): void;
  /** Does the step now. Returns the error, if any, when it is done. */
  perform(step: Step): string | undefined;
}

/** Runs in the agent's main thread; one for each actuator. */
export interface Supplier<Step = unknown, Supplies = unknown> {
  /** What the actuator is created from. */
  readonly actuator: ActuatorData;
  /**
   * Returns what the actuator needs for such steps and does not have. `names`: when this number has changed since the
   * last call, interface names may refer to other interfaces. Throws VnmError `failed`, `unsupported`.
   */
  supply(steps: readonly Step[], names: number): Promise<Supplies>;
  /** Called when the thread, and with it the actuator, has ended. */
  end(): void;
}

/** Tells the thread which actuator to create. */
export type ActuatorData =
  /** `waiting`: see `endSilentTools`. */
  | { readonly kind: 'kernel'; readonly waiting: SharedArrayBuffer }
  /** `memory`: see `Switches`. */
  | { readonly kind: 'userspace'; readonly memory: SharedArrayBuffer };

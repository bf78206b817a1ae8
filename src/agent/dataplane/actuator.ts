/**
 * How a plane does things at an instant. The timing thread waits for the instants and knows no plane; what is to be done then is a
 * step, which the plane has made beforehand (`DataPlane.prepare`) and only its actuator understands. Two parts, since that thread has
 * no event loop: the supplier is with the agent, the actuator in the thread. What they tell each other is cloned.
 */

/** In the timing thread. It does nothing but what it is called for, and must not wait for longer than it has to. */
export interface Actuator<Step = unknown, Supplies = unknown> {
  /** Takes what the supplier has for it, and is then ready for the steps that were supplied for. Throws VnmError `failed`. */
  take(supplies: Supplies): void;
  /** Some ms before its instant: what would take time then. */
  warmUp(step: Step): void;
  /** Less than a millisecond before its instant. Must return at once. */
  wake(step: Step): void;
  /** Does it, now. Answers what went wrong when it is done. */
  perform(step: Step): string | undefined;
}

/** In the agent's own thread, one for each actuator. */
export interface Supplier<Step = unknown, Supplies = unknown> {
  /** What the actuator is made of. */
  readonly actuator: ActuatorData;
  /**
   * What the actuator needs for such steps and does not have. `names`: with another number than before, names of interfaces may be
   * those of others. Throws VnmError `failed`, `unsupported`.
   */
  supply(steps: readonly Step[], names: number): Promise<Supplies>;
  /** The thread, and with it the actuator, has ended. */
  end(): void;
}

/** By which the thread knows which actuator it is to make. */
export type ActuatorData =
  /** `waiting`: see `endSilentTools`. */
  | { readonly kind: 'kernel'; readonly waiting: SharedArrayBuffer }
  /** `memory`: see `Switches`. */
  | { readonly kind: 'userspace'; readonly memory: SharedArrayBuffer };

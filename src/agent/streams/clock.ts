/** What streams need of a clock. */
export interface StreamClock {
  /** Unix ms with fractions. */
  wallMs(): number;
  /** Ms from an arbitrary start; never steps. */
  monotonicMs(): number;
}

import { sleep } from '../../clock/sleep.ts';

/** The shortest time to send before and after the redirection, so that its effect shows in the counts. */
const trafficMarginMs = 1000;

/** Waits until that time has passed since an instant by `performance.now`. */
export async function trafficMargin(sinceMs: number): Promise<void> {
  await sleep(Math.max(0, sinceMs + trafficMarginMs - performance.now()));
}

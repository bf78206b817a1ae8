import { sleep } from '../../clock/sleep.ts';

/** What is sent before and after the redirection at least, so that its effect shows in the counts. */
const trafficMarginMs = 1000;

/** Waits until so long after an instant by `performance.now`. */
export async function trafficMargin(sinceMs: number): Promise<void> {
  await sleep(Math.max(0, sinceMs + trafficMarginMs - performance.now()));
}

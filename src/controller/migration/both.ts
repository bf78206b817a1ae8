/** Runs two tasks at once, which do not disturb each other. A failure waits for both; the first task's is thrown. */
export async function both<A, B>(one: () => Promise<A>, other: () => Promise<B>): Promise<[A, B]> {
  const begun: [Promise<A>, Promise<B>] = [one(), other()];
  await Promise.allSettled(begun);
  return Promise.all(begun);
}

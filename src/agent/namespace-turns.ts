/** Runs what changes a namespace one after the other. */
export interface NamespaceTurns {
  /** Runs one body after the other for a namespace. */
  inTurn<T>(namespace: string, body: () => Promise<T>): Promise<T>;
  /** Whether something runs for it, or waits. */
  isBusy(namespace: string): boolean;
}

export function createNamespaceTurns(): NamespaceTurns {
  const turns = new Map<string, Promise<unknown>>();
  return {
    inTurn(namespace, body) {
      const turn = (turns.get(namespace) ?? Promise.resolve()).then(body);
      const settled = turn.catch(() => {});
      turns.set(namespace, settled);
      void settled.then(() => {
        if (turns.get(namespace) === settled) turns.delete(namespace);
      });
      return turn;
    },
    isBusy: (namespace) => turns.has(namespace),
  };
}

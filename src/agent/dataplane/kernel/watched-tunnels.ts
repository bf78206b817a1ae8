/**
 * Checks, less and less often, whether the other ends of watched tunnels have been heard, while there are such tunnels.
 */
export interface WatchedTunnels {
  /** Starts the checks: some tunnels are watched from now on. */
  begin(): void;
  end(): void;
}

const firstMs = 1000;
const longestMs = 60_000;

/** `look` returns whether there are still some; it handles its own failures. */
export function createWatchedTunnels(look: () => Promise<boolean>): WatchedTunnels {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;

  function wait(delayMs: number): void {
    if (isOver) return;
    clearTimeout(timer);
    timer = setTimeout(async () => {
      if (await look()) wait(Math.min(2 * delayMs, longestMs));
    }, delayMs);
  }

  return {
    begin: () => wait(firstMs),
    end: () => {
      isOver = true;
      clearTimeout(timer);
    },
  };
}

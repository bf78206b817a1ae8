import { vi } from 'vitest';

/** Runs `body` without real waits: whenever everything waits, the clock jumps to the next timer. */
export async function inPlayedTime<T>(body: () => Promise<T>): Promise<T> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  try {
    let isOver = false;
    const result = body().finally(() => {
      isOver = true;
    });
    result.catch(() => undefined);
    while (!isOver) await vi.advanceTimersToNextTimerAsync();
    return await result;
  } finally {
    vi.useRealTimers();
  }
}

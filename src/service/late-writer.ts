/** Writes that may fail now, as while somebody else holds the database, and are done later then, in their order. */
export interface LateWriter {
  write(body: () => void): void;
  /** Tries once more what is left. */
  close(): void;
}

const retryMs = 1000;
/** What is more than that is dropped, oldest first: a database that cannot be written for so long has another problem. */
const maxWaiting = 10_000;

export function lateWriter(onFailure: (error: unknown) => void): LateWriter {
  const waiting: (() => void)[] = [];
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    try {
      for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
        next();
        waiting.shift();
      }
    } catch (error) {
      onFailure(error);
      timer = setTimeout(flush, retryMs);
    }
  }

  return {
    write: (body) => {
      waiting.push(body);
      if (waiting.length > maxWaiting) waiting.shift();
      if (timer === undefined) flush();
    },
    close: () => {
      flush();
      clearTimeout(timer);
    },
  };
}

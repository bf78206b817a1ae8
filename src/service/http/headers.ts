/** Of every answer: it is for who asked, now, and is what it says it is. */
export const safeHeaders = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' } as const;

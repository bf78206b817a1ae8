/** Headers of every answer: browsers and proxies must neither cache it nor guess its type. */
export const safeHeaders = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' } as const;

/** For NODE_OPTIONS: a Node.js that believes to be on a system that is not Linux. */
export const elsewhere = `--import=${new URL('elsewhere.mjs', import.meta.url).href}`;

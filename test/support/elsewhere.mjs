// Preloaded (`node --import`), lets a program believe that it runs on a system that is not Linux: its platform is another
// one, and there is nothing below /proc, /sys and /run. Packages choose their binaries by the platform, so they get the
// real one.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const real = process.platform;
Object.defineProperty(process, 'platform', {
  get: () => (/node_modules\/(?!node\/|\.cache\/)/.test(new Error().stack?.split('\n')[2] ?? '') ? real : 'darwin'),
});

/** @param {unknown} path */
const isGone = (path) => typeof path === 'string' && /^\/(proc|sys|run)(\/|$)/.test(path);

/** @param {string} path */
function missing(path) {
  const error = new Error(`ENOENT: no such file or directory, open '${path}'`);
  return Object.assign(error, { code: 'ENOENT', path });
}

const names = /** @type {const} */ ([
  'readFile',
  'readdir',
  'readlink',
  'open',
  'stat',
  'lstat',
  'writeFile',
  'access',
]);
for (const name of names) {
  /** @type {any} */
  const [sync, promises] = [fs, fs.promises];
  const [original, promised] = [sync[`${name}Sync`], promises[name]];
  sync[`${name}Sync`] = (/** @type {any[]} */ ...args) => {
    if (!isGone(args[0])) return original(...args);
    if (args[1]?.throwIfNoEntry === false) return undefined;
    throw missing(args[0]);
  };
  promises[name] = async (/** @type {any[]} */ ...args) => {
    if (isGone(args[0])) throw missing(args[0]);
    return promised(...args);
  };
}
const exists = fs.existsSync;
fs.existsSync = (path) => !isGone(path) && exists(path);
syncBuiltinESMExports();

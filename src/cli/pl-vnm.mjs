#!/usr/bin/env node
// Starts the command line: the sources in a checkout, the build in a published package. A checkout pins its own
// Node.js, so it also runs where the machine's is too old for TypeScript sources. An old Node.js must be able to parse
// this file and report the version that is needed: no syntax newer than Node.js 12.20.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { launch } from './launch.mjs';
import { isRecent, needed } from './node-version.mjs';

const sources = new URL('./main.ts', import.meta.url);
const isCheckout = existsSync(sources);
const pinned = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url));

if (isRecent(process.versions.node)) {
  import(isCheckout ? sources.href : new URL('../../dist/cli/main.js', import.meta.url).href);
} else if (isCheckout && existsSync(pinned)) {
  launch(pinned, [fileURLToPath(import.meta.url)].concat(process.argv.slice(2)));
} else {
  const remedy = isCheckout ? "run 'npm run setup' in the checkout" : 'install a later Node.js';
  console.error(`pl-vnm needs Node.js ${needed} or later, but this is ${process.versions.node}: ${remedy}`);
  process.exit(1);
}

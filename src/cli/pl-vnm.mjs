#!/usr/bin/env node
// Starts the command line: the sources in a checkout, what was built from them in a published package. A checkout pins
// its own Node.js, so that it also runs where the machine's is too old for TypeScript sources.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);
const recent = major > 22 || (major === 22 && minor >= 18);
const sources = new URL('./main.ts', import.meta.url);
const pinned = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url));

if (!existsSync(sources)) {
  await import('../../dist/cli/main.js');
} else if (recent) {
  await import(sources.href);
} else if (existsSync(pinned)) {
  const child = spawn(pinned, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  // Ctrl-C reaches both through the terminal; the child decides when it is done.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
} else {
  console.error(`pl-vnm needs Node.js 22.18 or later, this is ${process.versions.node}; run 'npm run setup' first`);
  process.exit(1);
}

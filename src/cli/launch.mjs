// Runs the program under another Node.js and stays out of the way: passes signals on, ends as the program ends, and never
// leaves it alone (the end of the channel between them shows the program that this process was killed).
// An old Node.js must be able to read this file.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** @param {string} node @param {readonly string[]} words */
export function launch(node, words) {
  const child = spawn(node, words, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`pl-vnm: cannot start ${node}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code === null ? 128 + constants.signals[signal] : code));
}

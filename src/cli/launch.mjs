// Runs the program under another Node.js: passes signals on, and exits as the program exits. If this process is killed,
// their IPC channel closes, and the program notices. An old Node.js must be able to parse this file.
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

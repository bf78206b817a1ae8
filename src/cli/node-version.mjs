// Which Node.js can run the program. An old Node.js must be able to parse this file.

/** The lowest version that can, as in package.json's `engines`. */
export const needed = '22.18';

/** Whether a version of Node.js, like '20.11.1', is recent enough. */
export function isRecent(version) {
  const [major, minor] = version.split('.').map(Number);
  const [neededMajor, neededMinor] = needed.split('.').map(Number);
  return major > neededMajor || (major === neededMajor && minor >= neededMinor);
}

/** Questions of the program `ssh` to the user: passphrases, second factors, a touch of a token. */

let last: Promise<unknown> = Promise.resolve();

/** Whether `ssh` can ask somebody: on a terminal, or by a program for that. */
export function mayAsk(): boolean {
  const { SSH_ASKPASS, SSH_ASKPASS_REQUIRE, DISPLAY, WAYLAND_DISPLAY } = process.env;
  if (process.stdin.isTTY && process.stderr.isTTY) return true;
  return Boolean(SSH_ASKPASS) && (SSH_ASKPASS_REQUIRE === 'force' || Boolean(DISPLAY ?? WAYLAND_DISPLAY));
}

/** Runs one at a time, so that a question is not mixed with the next one. */
export async function whileAsking<T>(run: () => Promise<T>): Promise<T> {
  const mine = last.then(run);
  last = mine.catch(() => undefined);
  return mine;
}

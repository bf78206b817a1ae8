/** How an agent is started, whoever starts it. */

/**
 * A constant script for `sh -c`. Runs its arguments in the root directory, without core dumps and with the system's
 * default limits, processors and scheduling. Closes the files that a shell can name. What the system does not allow to
 * change stays as it is (containers); the agent logs that. Has no single quotes.
 *
 * Shells have letters for most limits, for two of them (locks, processes) different ones; a letter that a shell lacks
 * does nothing. For the rest there is `prlimit`, which stops at the first limit that it may not set.
 */
export const cleanStart = `
cd / || exit
umask 022
ulimit -c 0
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
{
  for limit in t f d m v l p u w x; do ulimit -$limit unlimited; done
  ulimit -s 8192
  case $(ulimit -H -n) in unlimited|[1-9]??????*|[7-9]????|6[6-9]???) ;; *) ulimit -n 65536;; esac
  prlimit --pid $$ --rttime=unlimited --msgqueue=unlimited --sigpending=unlimited ||
    for limit in msgqueue sigpending; do prlimit --pid $$ --$limit=unlimited; done
  taskset -cp 0-8191 $$
  chrt -o -p 0 $$
  ionice -c 0 -p $$
} >/dev/null 2>&1
exec env -u _ -u PWD -u OLDPWD -u SHLVL "$@"
`;

/** The exit code of `flock`, or of an agent that takes its lock itself, when another process holds the lock. */
export const lockedExitCode = 75;

/** Returns the words before an agent's program: under a lock that the kernel releases with the process. */
export function underLock(lock: string): string[] {
  return ['flock', '--nonblock', '--no-fork', '--conflict-exit-code', String(lockedExitCode), lock];
}

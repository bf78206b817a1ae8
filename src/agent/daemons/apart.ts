/**
 * The surroundings of a process that a checkpoint can take: a PID namespace of its own, in which it has the same number
 * again when it is restored, and a view of mounts of its own in which `/proc` is that of its PID namespace. CRIU works
 * from inside both, so it takes neither for a part of the process. Mounts that the node adds or removes later are seen
 * there, too; otherwise removed network namespaces would stay.
 */

/** In its PID namespace. CRIU and its helpers, which run there, get lower numbers. */
export const innerPid = 1000;

const words = ['unshare', '--pid', '--mount', '--propagation', 'slave', '--fork', '--', 'sh', '-c'];

/**
 * Its outputs are opened there again: CRIU cannot place files that were opened elsewhere. Where `/proc` cannot be
 * mounted the program starts as well, with another number.
 */
const startScript = `mount -t proc proc /proc && echo ${innerPid - 1} > /proc/sys/kernel/ns_last_pid
log=$1 && shift
setsid "$@" < /dev/null >> "$log" 2>&1 &
wait $!`;

/**
 * The shell stays: its end would end all processes of the namespace. The process has its folder by the path that it
 * knows from the other node, also where this node gives the namespace another name.
 */
const restoreScript = `mount -t proc proc /proc || exit
root=$1 here=$2 known=$3 && shift 3
if [ "$here" != "$known" ]; then
  cd "$here" && mount -t tmpfs -o mode=711,size=64k tmpfs "$root" && mkdir "$here" "$known" || exit
  for path in "$here" "$known"; do mount --no-canonicalize --bind . "$path" || exit; done
  cd /
fi
"$@"`;

/** The words that start a program apart from all others, as the leader of a session. */
export function startApart(log: string, program: readonly string[]): string[] {
  return [...words, startScript, 'sh', log, ...program];
}

/**
 * The words that run what restores a program in such surroundings, and stay until it ends. `here`: its folder below
 * `root`; `known`: the folder's path as the program knows it.
 */
export function restoreApart(
  folders: { readonly root: string; readonly here: string; readonly known: string },
  restorer: readonly string[],
): string[] {
  return [...words, restoreScript, 'sh', folders.root, folders.here, folders.known, ...restorer];
}

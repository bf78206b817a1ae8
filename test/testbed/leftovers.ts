import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Returns everything left of a testbed: namespaces, processes that name its directory, the directory itself. */
export function leftovers({ id, directory }: { readonly id: string; readonly directory: string }): string[] {
  const namespaces = (existsSync('/run/netns') ? readdirSync('/run/netns') : []).filter((name) =>
    name.startsWith(`pt${id}`),
  );
  const processes = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && commandOf(entry).includes(directory))
    .map((pid) => `process ${pid}: ${commandOf(pid)}`);
  return [...namespaces, ...processes, ...(existsSync(directory) ? [directory] : [])];
}

function commandOf(pid: string): string {
  // The test's own processes may name the directory, too, and a process may end meanwhile.
  if (Number(pid) === process.pid) return '';
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** Takes a local testbed down. */
import { ownsDirectory, removeDirectory } from './directory.ts';
import { removeNamespaces } from './namespaces.ts';
import { endProcesses, processesBelow } from './processes.ts';

/**
 * Ends every process of the testbed, deletes its namespaces (including routers' namespaces, made by agents) and its
 * directory. Also removes what an interrupted `testbedUp` left; a second run changes nothing. Throws VnmError
 * `conflict` when the directory holds anything but this testbed.
 */
export async function testbedDown(testbed: { readonly id: string; readonly directory: string }): Promise<void> {
  // Throws before any process is ended.
  await ownsDirectory(testbed.id, testbed.directory);
  await removeNamespaces(testbed.id);
  await endProcesses(() => processesBelow(testbed.directory));
  await removeDirectory(testbed.id, testbed.directory);
}

/** Takes a local testbed down. */
import { ownsDirectory, removeDirectory } from './directory.ts';
import { removeNamespaces } from './namespaces.ts';

/**
 * Ends every process in the testbed's namespaces, deletes these (including routers' namespaces, made by agents) and the
 * directory. Also removes what an interrupted `testbedUp` left; a second run changes nothing. Throws VnmError
 * `conflict` when the directory holds anything but this testbed.
 */
export async function testbedDown(testbed: { readonly id: string; readonly directory: string }): Promise<void> {
  // Throws before any process is ended.
  await ownsDirectory(testbed.id, testbed.directory);
  await removeNamespaces(testbed.id);
  await removeDirectory(testbed.id, testbed.directory);
}

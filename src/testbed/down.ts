/** Takes a local testbed down. */
import { ownsDirectory, removeDirectory } from './directory.ts';
import { removeNamespaces } from './namespaces.ts';

/**
 * Ends every process in the testbed's namespaces, deletes these (the routers' that agents made too) and the directory. Works on what an
 * interrupted `testbedUp` left; a second time it changes nothing. Throws VnmError `conflict` when the directory holds
 * anything but this testbed.
 */
export async function testbedDown(testbed: { readonly id: string; readonly directory: string }): Promise<void> {
  // Throws before anything is ended.
  await ownsDirectory(testbed.id, testbed.directory);
  await removeNamespaces(testbed.id);
  await removeDirectory(testbed.id, testbed.directory);
}

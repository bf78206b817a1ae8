/** Takes a local testbed down. */
import { removeDirectory } from './directory.ts';
import { deleteNamespaces, endProcesses, testbedNamespaces } from './namespaces.ts';

/**
 * Ends every process in the testbed's namespaces, deletes these (the routers' that agents made too) and the directory. Works on what an
 * interrupted `testbedUp` left; a second time it changes nothing. Throws VnmError `conflict` when the directory holds
 * anything but this testbed.
 */
export async function testbedDown(testbed: { readonly id: string; readonly directory: string }): Promise<void> {
  const namespaces = await testbedNamespaces(testbed.id);
  await endProcesses(namespaces);
  await deleteNamespaces(namespaces);
  await removeDirectory(testbed.id, testbed.directory);
}

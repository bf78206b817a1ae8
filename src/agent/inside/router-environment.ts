/**
 * What a command in a router's namespace finds of the router's own programs. A kind of router whose programs keep
 * control sockets sets here what its clients need to find them, such as the path of a folder.
 */
import type { NamespaceName } from '../../model/names.ts';

/** Returns variables for the environment of a command in the namespace. A static router has no programs. */
export function routerEnvironment(_namespace: NamespaceName): Readonly<Record<string, string>> {
  return {};
}

/** What a command in a router's namespace needs to find the router's own programs. */
import { basename } from 'node:path';
import type { NamespaceName } from '../../model/names.ts';
import { placeOf } from '../daemons/place.ts';

/** Returns the command with the options by which a client finds the router's daemon, if it is such a client. */
export function routerCommand(namespace: NamespaceName, [program = '', ...words]: readonly string[]): string[] {
  return [program, ...optionsOf(basename(program), namespace), ...words];
}

function optionsOf(program: string, namespace: NamespaceName): string[] {
  if (!['birdc', 'birdcl', 'vtysh'].includes(program)) return [];
  const { folder, runFolder } = placeOf(namespace);
  return program === 'vtysh' ? ['--config_dir', folder, '--vty_socket', runFolder] : ['-s', `${folder}/bird.ctl`];
}

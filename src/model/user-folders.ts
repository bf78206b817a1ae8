/** The user's folders, by the XDG Base Directory Specification. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where a user's settings are: `$XDG_CONFIG_HOME/pl-vnm`, by default in `~/.config`. */
export function configFolder(environment: Environment = process.env): string {
  return folder(environment.XDG_CONFIG_HOME, '.config');
}

/** Where programs keep what must last: `$XDG_STATE_HOME/pl-vnm`, by default in `~/.local/state`. */
export function stateFolder(environment: Environment = process.env): string {
  return folder(environment.XDG_STATE_HOME, join('.local', 'state'));
}

/** The specification has programs ignore a path that is not a full one. */
function folder(value: string | undefined, usual: string): string {
  const base = value !== undefined && isAbsolute(value) ? value : join(homedir(), usual);
  return join(base, 'pl-vnm');
}

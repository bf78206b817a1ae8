import type { MigrateOptions } from '../../controller/migrate.ts';
import { redirectByAt, setUpAt } from '../control/at.ts';
import { redirectByFreshSsh } from '../control/fresh-ssh.ts';
import type { InstalledVn, Undo } from './parameter.ts';

interface ControlMode {
  /** What `migrate` gets for it. */
  readonly options: Partial<MigrateOptions>;
  readonly setUp?: (installed: InstalledVn) => Promise<Undo>;
}

/** Who times the redirections. Another mode is another row. */
const controlModes = {
  /** Armed at the gateways beforehand. */
  gateway: { options: { control: 'gateway' } },
  /** Commanded by the controller at each instant, over the open connection. */
  remote: { options: { control: 'remote' } },
  /** The paper's remote scheduling: a new SSH session for each gateway at its instant. */
  'fresh-ssh': { options: { control: 'remote', redirect: redirectByFreshSsh } },
  /** The paper's gateway scheduling: Debian's `at`. */
  at: { options: { control: 'remote', redirect: redirectByAt }, setUp: setUpAt },
} as const satisfies Record<string, ControlMode>;

export type ControlName = keyof typeof controlModes;

export const controlNames = Object.keys(controlModes) as [ControlName, ...ControlName[]];

export function controlMode(name: ControlName): ControlMode {
  return controlModes[name];
}

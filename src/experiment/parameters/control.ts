import type { MigrateOptions } from '../../controller/migrate.ts';

/** Who times the redirections, with what `migrate` gets for it. Another mode is another row. */
export const controlModes = {
  /** Armed at the gateways beforehand. */
  gateway: { control: 'gateway' },
  /** Commanded by the controller at each instant, over the open connection. */
  remote: { control: 'remote' },
} as const satisfies Record<string, Partial<MigrateOptions>>;

export type ControlName = keyof typeof controlModes;

export const controlNames = Object.keys(controlModes) as [ControlName, ...ControlName[]];

/** Routers that are virtual machines: what the slice file says about them. */

/** The settings of a router of kind `image`. */
export interface ImageConfig {
  /** The image's file on the controller's machine, absolute. */
  readonly image: string;
  /** SHA-256 of its content, hexadecimal: by it nodes know the image, whatever its file is called. */
  readonly digest: string;
  readonly bytes: number;
  readonly memoryMib: number;
  /** `log`: what the guest writes to its first serial port is kept, up to a limit. */
  readonly console: ConsoleMode;
  /** The user's own part of the configuration disk: `user-data` of cloud-init. */
  readonly userData?: string;
}

export const consoleModes = ['log', 'none'] as const;
export type ConsoleMode = (typeof consoleModes)[number];

/** In MiB. */
export const memoryRange = [16, 1024 * 1024] as const;
export const defaultMemoryMib = 128;
export const defaultConsole: ConsoleMode = 'log';

/** The largest image, in bytes. */
export const maxImageBytes = 4 * 1024 * 1024 * 1024;
/** The most bytes of the user's own part of the configuration disk. */
export const maxUserDataBytes = 64 * 1024;

/** The names of the guest's network devices, in the order of its links: `eth0`, `eth1`, ... */
export function guestInterface(index: number): string {
  return `eth${index}`;
}

/** How SSH reaches a node: what the slice file says about it, and the text form of servers on the way. */

export const transports = ['ssh2', 'openssh'] as const;
/** `ssh2`: the library, within this process. `openssh`: the system's program `ssh`. */
type Transport = (typeof transports)[number];

/** For `config` and `jump` of the slice file, as in OpenSSH. */
export const noWay = 'none';

/** What is absent follows the user's SSH configuration; without any, `ssh2` connects directly. */
export interface SshWay {
  /** A file that is read instead of the user's and the system's configuration; `none`: no file is read. */
  readonly config?: string;
  readonly transport?: Transport;
  /** The servers to pass, from the first to the last; empty: none. */
  readonly jump?: readonly JumpHost[];
}

/** What is absent follows the user's SSH configuration. */
export interface JumpHost {
  readonly host: string;
  readonly port?: number;
  readonly user?: string;
  /** The path of a private key file; `~/` is the user's home. */
  readonly key?: string;
}

/**
 * Splits `[user@]host[:port]` or `ssh://[user@]host[:port]`; an IPv6 address with a port has brackets. Undefined if
 * the text has another form; the parts need checks of their own.
 */
export function splitJumpHost(text: string): JumpHost | undefined {
  const [, user, bracketed, plain, port] =
    /^(?:ssh:\/\/)?(?:([^\s:[\]]+)@)?(?:\[([\da-fA-F:.%\w]+)\]|([^\s:[\]@]+|[\da-fA-F]*(?::[\da-fA-F.]*){2,}(?:%\w+)?))(?::(\d{1,5}))?$/.exec(
      text,
    ) ?? [];
  const host = bracketed ?? plain;
  const number = port === undefined ? undefined : Number(port);
  if (host === undefined || (number !== undefined && (number < 1 || number > 65_535))) return undefined;
  return { host, ...(user === undefined ? {} : { user }), ...(number === undefined ? {} : { port: number }) };
}

/** Returns `host:port`, with an IPv6 address in brackets. */
export function endpointText(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The command lines of the program `ssh`, as argument vectors. */
import { timeLimits } from '../../model/patience.ts';
import { expandHome } from '../ssh-config.ts';
import type { SshOptions, SshServer } from '../ssh-types.ts';

/** What a connection never does, whatever the user's configuration says. */
const never = {
  ForwardAgent: 'no',
  ForwardX11: 'no',
  ClearAllForwardings: 'yes',
  Tunnel: 'no',
  PermitLocalCommand: 'no',
  RemoteCommand: 'none',
  // Host keys are those of known_hosts; the program only adds new ones, if at all.
  NoHostAuthenticationForLocalhost: 'no',
  VerifyHostKeyDNS: 'no',
  UpdateHostKeys: 'no',
};

/**
 * How long a connection may last without a user, s: until the controller holds it, which takes a while on a busy
 * machine, and after a controller that was killed.
 */
const persistS = 30;

/**
 * Options and destination of a connection that goes to the background after the login, and carries sessions.
 * `socket`: its control socket. `through`: that of the jump host before it. `asks`: whether it may ask the user.
 */
export function masterWords(
  server: SshServer,
  { acceptNewHostKeys, keepaliveMs = timeLimits(server.patience).keepaliveMs }: SshOptions,
  paths: {
    program: string;
    socket: string;
    log: string;
    through?: string | undefined;
    timeoutMs: number;
    asks: boolean;
  },
): string[] {
  const { name, config, user, port, keys, knownHosts, proxyCommand } = server;
  const options = {
    ...never,
    ControlMaster: 'yes',
    ControlPath: noTokens(paths.socket),
    ControlPersist: String(persistS),
    StrictHostKeyChecking: acceptNewHostKeys ? 'accept-new' : 'yes',
    UserKnownHostsFile: [knownHosts.addTo, ...knownHosts.files.filter((file) => file !== knownHosts.addTo)]
      .map((file) => `"${noTokens(file)}"`)
      .join(' '),
    GlobalKnownHostsFile: '/dev/null',
    BatchMode: paths.asks ? 'no' : 'yes',
    ConnectionAttempts: '1',
    ConnectTimeout: String(Math.ceil(paths.timeoutMs / 1000)),
    ServerAliveInterval: String(Math.max(1, Math.ceil(keepaliveMs / 1000))),
    ServerAliveCountMax: '3',
    ...proxyOf(paths, proxyCommand),
    ...(keys.isGiven === true ? { IdentitiesOnly: 'yes' } : {}),
  };
  return [
    ...(config === undefined ? [] : ['-F', expandHome(config)]),
    ...['-M', '-N', '-f', '-T', '-v', '-E', paths.log],
    ...Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`]),
    ...(keys.isGiven === true ? (keys.files ?? []).flatMap((file) => ['-i', noTokens(expandHome(file))]) : []),
    ...['-l', user, '-p', String(port), '--', name],
  ];
}

/** What is given here wins over ProxyJump and ProxyCommand of the user's configuration. */
function proxyOf(
  { program, through }: { program: string; through?: string | undefined },
  ofUser: string | undefined,
): { ProxyCommand?: string } {
  if (through !== undefined) {
    // The only text that a shell reads; `ssh` replaces %h and %p.
    const words = [program, ...clientWords(through), '-W', '[%h]:%p', 'jump'];
    return { ProxyCommand: words.map((word) => quoted(word === '[%h]:%p' ? word : noTokens(word))).join(' ') };
  }
  return ofUser === undefined ? { ProxyCommand: 'none' } : {};
}

/** A session on the connection at a control socket. The destination has no meaning. */
export function sessionWords(socket: string, log: string, command: string): string[] {
  return [...clientWords(socket), '-T', '-v', '-E', log, 'node', '--', command];
}

/** Options with which `ssh` uses the connection at a control socket, and makes none of its own. */
function clientWords(socket: string): string[] {
  const options = ['ControlMaster=no', 'ProxyCommand=false', 'ForwardAgent=no', 'ForwardX11=no', 'BatchMode=yes'];
  return ['-F', 'none', '-S', noTokens(socket), ...options.flatMap((option) => ['-o', option])];
}

/** In these options `%` begins a token. */
function noTokens(text: string): string {
  return text.replaceAll('%', '%%');
}

function quoted(word: string): string {
  return /^[\w./:=@%-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

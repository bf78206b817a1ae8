/** The way to a node: what the slice file says, and what the user's SSH configuration adds to it. */
import { VnmError } from '../model/errors.ts';
import { endpointText, type JumpHost, splitJumpHost } from '../model/ssh-way.ts';
import { ownKnownHostsFile, systemKnownHostsFile, userKnownHostsFile } from './known-hosts.ts';
import { localAccount, type SshSettings, sshSettings } from './ssh-config.ts';
import { unreachable } from './ssh-errors.ts';
import type { KeyChoice, KnownHostsChoice, SshRoute, SshServer, SshTarget } from './ssh-types.ts';

/** The way to a node for people and `--json`. */
export interface DescribedRoute {
  readonly transport: SshRoute['transport'];
  readonly user: string;
  readonly host: string;
  readonly port: number;
  /** The servers to pass, from the first to the last, as `user@host:port`. */
  readonly jumps: readonly string[];
}

/** More are a loop. */
const maxJumps = 16;

/** Throws VnmError `unreachable` where the SSH configuration is faulty, or leads in a circle. */
export async function routeTo(target: SshTarget): Promise<SshRoute> {
  const { host, port, user, keyPath, ssh: { transport = 'ssh2', jump } = {} } = target;
  const named = { name: host, port, user, key: keyPath };
  const { server, jumps } = await serverAt(target, named, jump);
  return { transport, jumps: await chain(target, jumps), end: server };
}

/** Throws as `routeTo`. */
export async function describeRoute(target: SshTarget): Promise<DescribedRoute> {
  const { transport, jumps, end } = await routeTo(target);
  const { user, host, port } = end;
  return { transport, user, host, port, jumps: jumps.map((one) => `${one.user}@${endpointText(one.host, one.port)}`) };
}

/** Returns the host that a target's name stands for in the SSH configuration. Throws as `routeTo`. */
export async function hostNameOf(target: SshTarget): Promise<string> {
  const { host, port, user, keyPath } = target;
  return (await settingsFor(target, { name: host, port, user, key: keyPath })).hostName;
}

/** The servers to pass on the way to the last one; as with `ssh`, the first may have jump hosts of its own. */
async function chain(target: SshTarget, jumps: readonly JumpHost[], depth = 0): Promise<SshServer[]> {
  const [first, ...others] = jumps;
  if (first === undefined) return [];
  if (depth + jumps.length > maxJumps) {
    throw new VnmError(
      'unreachable',
      `node '${target.node}': its jump hosts lead in a circle, through '${first.host}'`,
      {
        hint: "correct ProxyJump in the SSH configuration, or 'jump' in the slice file",
      },
    );
  }
  const named = ({ host, port, user, key }: JumpHost) => ({ name: host, port, user, key, isJump: true });
  const { server, jumps: before } = await serverAt(target, named(first));
  const rest = await Promise.all(others.map((jump) => serverAt(target, named(jump), [])));
  return [...(await chain(target, before, depth + jumps.length)), server, ...rest.map((one) => one.server)];
}

interface Named {
  readonly name: string;
  readonly port?: number | undefined;
  readonly user?: string | undefined;
  readonly key?: string | undefined;
  readonly isJump?: boolean;
}

/** Nodes have had root as their default login since before the configuration was asked; `ssh` takes the local user. */
function settingsFor({ ssh }: SshTarget, { name, port, user, isJump }: Named): Promise<SshSettings> {
  const defaultUser = isJump === true ? (localAccount()?.username ?? 'root') : 'root';
  return sshSettings({ host: name, port, user, defaultUser, config: ssh?.config });
}

/** `jump`: replaces that of the configuration, and any command for the connection. */
async function serverAt(
  target: SshTarget,
  named: Named,
  jump?: readonly JumpHost[],
): Promise<{ server: SshServer; jumps: readonly JumpHost[] }> {
  const { node, knownHostsPath, patience, ssh: { config } = {} } = target;
  const settings = await settingsFor(target, named);
  const { hostName, port, user, family, proxyJump, proxyCommand, unread } = settings;
  const place = {
    ...{ node, host: hostName, port },
    ...(named.isJump === true ? { what: `jump host '${named.name}'` } : {}),
  };
  const server = {
    ...place,
    ...{
      name: named.name,
      user,
      keys: keysOf(settings, named.key),
      knownHosts: knownHostsOf(settings, knownHostsPath),
    },
    ...(config === undefined ? {} : { config }),
    ...(family === undefined ? {} : { family }),
    ...(jump !== undefined || proxyCommand === undefined ? {} : { proxyCommand }),
    ...(patience === undefined ? {} : { patience }),
    ...(unread === undefined ? {} : { unread }),
  };
  const jumps = jump ?? (proxyJump === undefined ? [] : proxyJump.split(',').map((text) => parseJump(server, text)));
  return { server, jumps };
}

function parseJump(server: SshServer, text: string): JumpHost {
  const jump = splitJumpHost(text.trim());
  if (jump !== undefined) return jump;
  throw unreachable(server, {
    reason: `ProxyJump of the SSH configuration has '${text}'`,
    hint: 'write it like me@bastion.example.org:22',
  });
}

function keysOf(settings: SshSettings, key: string | undefined): KeyChoice {
  const { identityFiles, identitiesOnly, identityAgent, certificateFiles } = settings;
  const agent = identityAgent === undefined ? {} : { agent: identityAgent };
  if (key !== undefined) return { files: [key], isGiven: true, ...agent };
  return {
    ...(identityFiles === undefined ? {} : { files: identityFiles }),
    ...(identitiesOnly ? { onlyFiles: true } : {}),
    ...(certificateFiles.length === 0 ? {} : { certificates: certificateFiles }),
    ...agent,
  };
}

/** Where the user's configuration keeps no host keys, they are kept all the same, in a file of our own. */
function knownHostsOf(settings: SshSettings, extra: string | undefined): KnownHostsChoice {
  const { userKnownHosts, globalKnownHosts = [systemKnownHostsFile], hostKeyAlias } = settings;
  const own = userKnownHosts?.length === 0 ? [ownKnownHostsFile()] : (userKnownHosts ?? [userKnownHostsFile()]);
  const files = [...(extra === undefined ? [] : [extra]), ...own, ...globalKnownHosts];
  return { files, addTo: files[0]!, ...(hostKeyAlias === undefined ? {} : { alias: hostKeyAlias }) };
}

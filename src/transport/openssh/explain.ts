/** Why the program `ssh` made no connection, from what it has written. */
import type { VnmError } from '../../model/errors.ts';
import { hostLabel } from '../known-hosts-format.ts';
import { behindHint, nameOf, type Reason, reasonFor, unreachable } from '../ssh-errors.ts';
import type { SshServer } from '../ssh-types.ts';

export interface Explained {
  readonly error: VnmError;
  /** Whether the server closed the connection before it sent its name. */
  readonly isDropped: boolean;
  /** Whether the login failed, which a question to the user may change. */
  readonly isRefused: boolean;
}

/** `log`: the output of `ssh -v`, where lines that begin with `debug1:` are for experts. `jump`: the server before. */
export function explainLog(log: string, server: SshServer, jump?: SshServer): Explained {
  const isGreeted = /^debug1: Remote protocol version/m.test(log);
  const isRefused = /^\S*: Permission denied \(|Too many authentication failures/m.test(log);
  const isClosed = /(Connection (closed|reset) by|banner exchange: Connection)/.test(log);
  const isBehind = jump !== undefined && log.includes('Stdio forwarding request failed');
  const reason = isBehind
    ? { reason: `${nameOf(jump)} does not connect to it`, hint: behindHint }
    : (hostKeyReason(log, server) ?? (isRefused ? loginReason(log, server) : connectionReason(log)));
  return {
    error: unreachable(server, reason),
    isDropped: isClosed && !isGreeted && !isBehind && server.proxyCommand === undefined,
    isRefused,
  };
}

function hostKeyReason(log: string, { host, port, knownHosts }: SshServer): Reason | undefined {
  const [, type = 'key', print = ''] = /^debug1: Server host (?:key|certificate): (\S+) ([^\s,]+)/m.exec(log) ?? [];
  const shown = `${type} ${print}`;
  const [, file, line] = /^Offending .*key in (.+):(\d+)\r?$/m.exec(log) ?? [];
  if (/REVOKED HOST KEY DETECTED|is marked as revoked/.test(log)) {
    return {
      reason: `its host key ${shown} is revoked`,
      hint: 'do not connect; ask whoever runs the node for a new host key',
    };
  }
  if (/HOST IDENTIFICATION HAS CHANGED/.test(log)) {
    const label = knownHosts.alias ?? hostLabel(host, port);
    const where = file === undefined ? 'known_hosts' : `${file}:${line}`;
    return {
      reason: `its host key has changed to ${shown}; ${where} has another one`,
      hint:
        'someone may be intercepting the connection; if you know that the change is legitimate, remove the old key: ' +
        `ssh-keygen -R '${label}' -f ${file ?? knownHosts.addTo}`,
    };
  }
  if (/host key is known for .* and you have requested strict checking/.test(log)) {
    return {
      reason: `its host key ${shown} is unknown`,
      hint: 'compare the fingerprint with the node, then repeat with --accept-new-host-keys',
    };
  }
  if (!/Host key verification failed/.test(log)) return undefined;
  return { reason: `its host key ${shown} is refused: ${lastWords(log)}`, hint: 'see ssh HOST' };
}

function loginReason(log: string, { user, what = 'node' }: SshServer): Reason {
  const offered = [...log.matchAll(/^debug1: Offering public key: (.+?) \S+ SHA256:/gm)].map(([, name]) => name!);
  const [, methods] = /Permission denied \(([^)]*)\)/.exec(log) ?? [];
  const tried = offered.length === 0 ? 'no key to try' : `tried ${[...new Set(offered)].join(', ')}`;
  const takes = methods === undefined ? '' : `; the server accepts ${methods.split(',').join(', ')}`;
  const hint = /publickey/.test(methods ?? 'publickey')
    ? `check that ssh logs in there by itself; give a key that the ${what === 'node' ? what : 'jump host'} accepts, or add it to an ssh agent (ssh-add)`
    : 'check that ssh logs in there by itself; where it asks questions, run pl-vnm on a terminal';
  return { reason: `authentication as '${user}' failed: ssh ${tried}${takes}`, hint };
}

const patterns: readonly (readonly [pattern: RegExp, code: string])[] = [
  [/Connection refused/, 'ECONNREFUSED'],
  [/Could not resolve hostname/, 'ENOTFOUND'],
  [/No route to host/, 'EHOSTUNREACH'],
  [/Network is unreachable/, 'ENETUNREACH'],
  [/(Connection|Operation) timed out/, 'ETIMEDOUT'],
];

function connectionReason(log: string): Reason {
  const code = patterns.find(([pattern]) => pattern.test(log))?.[1];
  const known = code === undefined ? undefined : reasonFor(code);
  return known ?? { reason: lastWords(log), hint: 'check that ssh connects there by itself' };
}

/** Returns the last lines that are for people. */
function lastWords(log: string): string {
  const lines = log
    .split(/\r?\n/)
    .map((line) => line.replaceAll(/[^\x20-\x7e]+/g, ' ').trim())
    .filter((line) => line !== '' && !/^debug\d:|^OpenSSH_|^@+$/.test(line));
  return lines.slice(-3).join('; ').slice(0, 500) || 'ssh ended without a word';
}

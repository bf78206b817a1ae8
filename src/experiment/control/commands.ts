/** The shell commands of a redirection, for the paper's ways, in which no agent acts at a gateway. */
import { type NexthopJson, parseNexthops } from '../../agent/dataplane/kernel/parse.ts';
import { redirectLines } from '../../agent/dataplane/kernel/redirect.ts';
import { type Redirection, redirectionsOf } from '../../controller/migration/redirections.ts';
import type { Recorded, Run } from '../../controller/migration/types.ts';
import { withAgents } from '../../controller/nodes/agents.ts';
import { VnmError } from '../../model/errors.ts';
import type { Schedule } from '../../planning/schedule/types.ts';
import type { InstalledVn } from '../parameters/parameter.ts';

/** A redirection as a command for `sh`: the same changes of nexthops that an agent makes, by a process each. */
export interface ShellRedirection extends Redirection {
  readonly command: string;
}

/**
 * Reads the nexthops of the gateways, and writes their redirections as commands. Throws VnmError `unsupported` without
 * the kernel's data plane.
 */
export async function shellRedirections(
  { agents, ...run }: Run,
  { instance }: Recorded,
  { schedule }: { readonly schedule: Schedule },
): Promise<ShellRedirection[]> {
  if (run.old.instance.nodeTunnel !== 'vxlan') {
    throw new VnmError('unsupported', "redirections by shell commands need the kernel's data plane", {
      hint: 'write testbed: kernel, or another control mode',
    });
  }
  return Promise.all(
    redirectionsOf(run, instance, schedule).map(async (redirection) => {
      const read = 'id -u && ip -json nexthop show';
      const { code, stdout, stderr } = await agents.get(redirection.node).exec(read, { what: read });
      if (code !== 0) throw new VnmError('failed', `node '${redirection.node}': ${read} failed: ${stderr.trim()}`);
      const [user, ...nexthops] = stdout.toString('utf8').split('\n');
      const known = parseNexthops(JSON.parse(nexthops.join('\n')) as NexthopJson[]);
      return { ...redirection, command: redirectCommand(redirectLines(known, redirection.groups), user!) };
    }),
  );
}

/** The lines of a batch for `ip` as one command. `user`: the id of the login, which is root or may become root. */
export function redirectCommand(lines: readonly string[], user: string): string {
  const command = lines.map((line) => `ip ${line.trim()}`).join(' && ');
  return user === '0' ? command : `sudo -n sh -c '${command}'`;
}

/** Throws VnmError `unsupported` with the nodes of gateways whose login cannot change nexthops by shell commands. */
export async function requireRoot(installed: InstalledVn): Promise<void> {
  const command = `[ "$(id -u)" = 0 ] || sudo -n sh -c 'ip -Version'`;
  const names = await gatewayNodesWithout(installed, 'the check of the login', () => command);
  if (names.length === 0) return;
  const needed = "control modes 'fresh-ssh' and 'at' need a login that is root or may become root (sudo -n)";
  throw new VnmError('unsupported', `${needed}: that of node '${names.join("', '")}' is not`, {
    hint: 'name another login in the slice file, or write control: remote or gateway',
  });
}

/** The nodes of gateways where a command fails. */
export async function gatewayNodesWithout(
  { kept, slice, vn }: InstalledVn,
  what: string,
  commandAt: (node: string) => string,
): Promise<string[]> {
  const nodes = [...new Set(vn.gateways.map(({ node }) => node))];
  const missing = await withAgents(kept, slice, nodes, (agents) =>
    Promise.all(
      nodes.map(async (node) => {
        const { code } = await agents.get(node).exec(commandAt(node), { what });
        return code === 0 ? [] : [node];
      }),
    ),
  );
  return missing.flat();
}

/** A script that runs a command, and then prints when it began and ended, in ns of Unix time, and its exit code. */
export function timed(command: string): string {
  return `began=$(date +%s%N); { ${command}; } >&2; code=$?; ended=$(date +%s%N); echo "$began $ended $code"`;
}

/** Reads what `timed` printed. Throws VnmError `failed` if the command failed. */
export function readTimed(
  node: string,
  printed: string,
  said: string,
): { readonly startedAt: number; readonly finishedAt: number } {
  const found = /^(\d{19}) (\d{19}) (\d+)\n$/.exec(printed);
  if (found === null || found[3] !== '0') {
    throw new VnmError('failed', `the redirection at node '${node}' failed: ${said.trim() || 'it says nothing'}`);
  }
  // Unix ns have more digits than a number holds exactly; 1 µs of them remains.
  return { startedAt: Number(found[1]) / 1e6, finishedAt: Number(found[2]) / 1e6 };
}

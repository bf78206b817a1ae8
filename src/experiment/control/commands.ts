/** The shell commands of a redirection, for the paper's ways, in which no agent acts at a gateway. */
import { type NexthopJson, parseNexthops } from '../../agent/dataplane/kernel/parse.ts';
import { redirectLines } from '../../agent/dataplane/kernel/redirect.ts';
import { type Redirection, redirectionsOf } from '../../controller/migration/redirections.ts';
import type { Recorded, Run } from '../../controller/migration/types.ts';
import { VnmError } from '../../model/errors.ts';
import type { Schedule } from '../../planning/schedule/types.ts';

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
      const read = 'ip -json nexthop show';
      const { code, stdout, stderr } = await agents.get(redirection.node).exec(read, { what: read });
      if (code !== 0) throw new VnmError('failed', `node '${redirection.node}': ${read} failed: ${stderr.trim()}`);
      const nexthops = parseNexthops(JSON.parse(stdout.toString('utf8')) as NexthopJson[]);
      const lines = redirectLines(nexthops, redirection.groups);
      return { ...redirection, command: lines.map((line) => `ip ${line.trim()}`).join(' && ') };
    }),
  );
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

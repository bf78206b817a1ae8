/** The files that `agent install` puts on a shared node for a slice: names and texts. All belong to root. */
import type { NodeSurvey } from './node-survey.ts';

/** Returns the one command that the slice's login may run as root, without arguments. */
export function attachCommand(lib: string, slice: string): string {
  return `${lib}/attach-${slice}`;
}

/** Directories that only root can write to. */
const searchPath = '/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Returns the command's text. It starts the agent's program in a directory, with a core limit and an environment that
 * are fixed here, so that nothing of the login's gets through, whatever the node's sudo is set to keep. A core of
 * root's would reveal its memory, in a directory of the login's choice. `agent`: the file's name.
 */
export function attachScript(
  { lib, directory }: Pick<NodeSurvey, 'lib' | 'directory'>,
  slice: string,
  runtime: string,
  agent: string,
): string {
  const environment = [`PATH=${searchPath}`, ...(directory === undefined ? [] : [`PL_VNM_DIR=${directory}`])];
  return `#!/bin/sh
# Made by pl-vnm agent install: attaches to the agent of slice '${slice}'. The slice's login may run this as root.
cd / && umask 022 && ulimit -c 0 || exit
exec /usr/bin/env -i ${environment.join(' ')} ${runtime} ${lib}/${agent} attach --slice ${slice}
`;
}

/** Returns the sudo rule. The two quotes at the end forbid all arguments. `login` must have passed `loginPattern`. */
export function ruleText(lib: string, slice: string, login: string): string {
  const command = attachCommand(lib, slice);
  return `# Made by pl-vnm agent install: the login of slice '${slice}' may attach to the slice's agent.
Defaults!${command} env_reset, !setenv, !requiretty
${login} ALL=(root) NOPASSWD: NOSETENV: ${command} ""
`;
}

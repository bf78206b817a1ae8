/** Programs in the network namespaces of this node's routers, and captures: as whom each runs, and when it ends. */
import { existsSync } from 'node:fs';
import { VnmError } from '../../model/errors.ts';
import type { NamespaceName } from '../../model/names.ts';
import type { Operation } from '../../vsys/operations.ts';
import type { Policy } from '../../vsys/policy.ts';
import type { Handlers } from '../../vsys/rpc.ts';
import { type Terminal, terminalWords } from '../../vsys/terminal.ts';
import { writeSettings } from '../dataplane/kernel/settings.ts';
import { hasProgram } from '../has-program.ts';
import { environment } from '../run.ts';
import { type Commands, createCommands } from './commands.ts';
import { captureWords, launchEnvironment, launchWords } from './launch.ts';
import { type Login, loginOfSlice } from './login.ts';
import { consoleLog, consoleWords, hasMachine, requireMachine } from './machine-console.ts';
import { commandsIn } from './marked.ts';
import { routerCommand } from './router-command.ts';

/** The policy has allowed every request before it gets here. */
export interface Inside extends Pick<Handlers, 'exec' | 'console' | 'console_log' | 'capture'> {
  readonly commands: Commands;
  /** Returns a function that ends the commands in namespaces that the operations remove; call it once they have. */
  leaving(operations: readonly Operation[]): () => void;
}

/** `program`: the file of the agent. */
export function createInside(policy: Policy, isOwnNode: boolean, program: string): Inside {
  const commands = createCommands();
  /** The users as whom commands have run, other than root. */
  const uids = new Set<number>();

  function check(
    namespace: NamespaceName | undefined,
    programs: readonly (readonly [name: string, from: string])[],
  ): void {
    if (policy.userspace !== undefined) {
      throw new VnmError(
        'unsupported',
        'routers of the userspace data plane are code of the agent: nothing runs there',
      );
    }
    if (namespace !== undefined && !existsSync(`/run/netns/${namespace}`)) {
      throw new VnmError('not-found', `there is no namespace '${namespace}'`);
    }
    for (const [name, from] of programs) {
      if (!hasProgram(name)) throw new VnmError('unsupported', `there is no '${name}'`, { hint: `install ${from}` });
    }
  }

  async function sliceLogin(): Promise<Login> {
    const login = await loginOfSlice(policy.slice);
    uids.add(login.uid);
    return login;
  }

  /**
   * Joins a command's streams with the console of a machine; as root, since only what the guest reads is the user's.
   */
  function onConsole(
    namespace: NamespaceName,
    command: readonly string[],
    terminal: Terminal | undefined,
    ended?: AbortSignal,
  ): Promise<{ id: string }> {
    const words = consoleWords(namespace, program, command);
    return commands.start(
      launchWords(undefined, 'root', terminal === undefined ? words : terminalWords(terminal, words)),
      launchEnvironment('root', environment),
      ended,
    );
  }

  return {
    commands,
    async exec({ namespace, command, terminal }, ended) {
      check(namespace, [['setpriv', 'util-linux']]);
      if (hasMachine(namespace)) return onConsole(namespace, command, terminal, ended);
      const asRoot = isOwnNode || policy.operations.includes('exec_as_root');
      const runAs = asRoot ? 'root' : await sliceLogin();
      if (runAs !== 'root') await allowPing(namespace, runAs);
      const words = routerCommand(namespace, command);
      return commands.start(
        launchWords(namespace, runAs, terminal === undefined ? words : terminalWords(terminal, words)),
        launchEnvironment(runAs, environment),
        ended,
      );
    },
    async console({ namespace, terminal }, ended) {
      check(namespace, [['setpriv', 'util-linux']]);
      requireMachine(namespace);
      return onConsole(namespace, [], terminal, ended);
    },
    async console_log({ namespace }) {
      check(namespace, []);
      requireMachine(namespace);
      return { text: consoleLog(namespace) };
    },
    async capture({ namespace, ...options }, ended) {
      check(namespace, [
        ['setpriv', 'util-linux'],
        ['tcpdump', 'tcpdump'],
      ]);
      const runAs = isOwnNode ? 'root' : await sliceLogin();
      const words = launchWords(namespace, runAs, captureWords(options), { raw: true });
      return commands.start(words, { ...launchEnvironment(runAs, environment), LC_ALL: 'C' }, ended);
    },
    leaving(operations) {
      const ends = operations.flatMap((one) => (one.op === 'netns_down' ? [commandsIn(one.namespace, uids)] : []));
      return () => {
        for (const end of ends) end();
      };
    },
  };
}

/** Lets the login's group send echo requests in the namespace: `ping` gets no privileges there. */
async function allowPing(namespace: NamespaceName, { gid }: Login): Promise<void> {
  await writeSettings(namespace, new Map([['ipv4/ping_group_range', `${gid} ${gid}`]]));
}

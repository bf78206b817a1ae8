/** A node for tests: a network namespace, a directory for its files, and the bundled agent. Needs root. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { daemonRoot } from '../../src/agent/daemons/place.ts';
import { machineRoot } from '../../src/agent/guests/place.ts';
import { agentBundle } from '../../src/transport/agent-bundle.ts';
import { withConfirmation } from '../../src/transport/confirm.ts';
import type { Inventory } from '../../src/vsys/messages.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { type Policy, policySchema } from '../../src/vsys/policy.ts';
import { createRpcClient, type RpcClient } from '../../src/vsys/rpc.ts';
import { uniqueName } from './privileges.ts';

interface Attached {
  readonly client: RpcClient;
  /** The same channel, whose calls do not confirm batches. */
  readonly raw: RpcClient;
  readonly process: ChildProcess;
  /** The standard error of `attach` so far. */
  readonly stderr: () => string;
  /** Resolves to its exit code when it has ended. */
  readonly ended: Promise<number | null>;
}

export interface AgentNode {
  readonly namespace: string;
  /** The value of PL_VNM_DIR. */
  readonly directory: string;
  readonly policy: Policy;
  /** Runs `ip` in the node's own network stack, or in one of its router namespaces. */
  ip(words: string, router?: string): string;
  /** Returns the full name of a router namespace. */
  router(name: string): string;
  /** Opens another channel to the agent, which starts if it does not run. */
  attach(): Attached;
  /** Calls the agent over one channel that stays open. */
  apply(operations: readonly OperationInput[]): Promise<string[]>;
  inventory(): Promise<Inventory>;
  client(): RpcClient;
  /** Ends the agent by the request `shutdown` or a signal, and waits until it is gone; the next call starts another. */
  endAgent(how: 'shutdown' | 'SIGKILL'): Promise<void>;
  /** Ends the agent, removes the namespaces and the files. */
  remove(): Promise<void>;
}

/**
 * Runs its other arguments where the program named by the first cannot be run. Mounts made there stay there, except
 * those of network namespaces, whose names are on a separate, shared mount.
 */
const script = `program=$(command -v "$1") && shift
mount --make-private "$(findmnt --noheadings --output TARGET --target "$program")" || exit
mount --bind /dev/null "$program" && exec "$@"`;
const hide = ['unshare', '--mount', '--propagation', 'unchanged', 'sh', '-c', script, 'sh'];

/** Starts a node; `without` names a program that its agent cannot find; `operations`: those that the policy
 * allows, usually `*`. */
export async function startAgentNode(
  limits: Partial<Policy['limits']> = {},
  { without, operations }: { without?: string; operations?: Policy['operations'] } = {},
): Promise<AgentNode> {
  const namespace = uniqueName('agt');
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-agent-'));
  const file = join(directory, 'agent.mjs');
  const usual = testPolicy(`${namespace}_`, limits);
  const policy = operations === undefined ? usual : { ...usual, operations };
  const attached: Attached[] = [];
  mkdirSync(join(directory, 'policy'));
  writeFileSync(join(directory, 'policy', `${policy.slice}.json`), JSON.stringify(policy), { mode: 0o644 });
  writeFileSync(file, (await agentBundle()).code);
  execFileSync('ip', ['netns', 'add', namespace]);
  execFileSync('ip', ['-n', namespace, 'link', 'set', 'lo', 'up']);

  function attach(): Attached {
    const inside = [`--net=/run/netns/${namespace}`, '--', process.execPath, file];
    const words = ['nsenter', ...inside, 'attach', '--slice', policy.slice];
    const [command, ...args] = without === undefined ? words : [...hide, without, ...words];
    const child = spawn(command!, args, {
      env: { ...process.env, PL_VNM_DIR: directory },
      stdio: 'pipe',
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    const rpc = createRpcClient(child.stdout, child.stdin);
    const client = { ...rpc, call: withConfirmation(rpc.call) };
    const result = { client, raw: rpc, process: child, stderr: () => stderr, ended };
    attached.push(result);
    return result;
  }

  let kept: RpcClient | undefined;
  function client(): RpcClient {
    if (kept === undefined) {
      kept = attach().client;
      // Say hello as a controller does: the agent closes a channel without it after a while.
      kept.call('hello', {}).catch(() => undefined);
    }
    return kept;
  }

  return {
    namespace,
    directory,
    policy,
    ip: (words, router) => ip(router ?? namespace, words),
    router: (name) => `${namespace}_${name}`,
    attach,
    client,
    apply: async (operations) => {
      const { results } = await client().call('apply', { operations: [...operations] });
      return results.map(({ status }) => status);
    },
    endAgent: async (how) => {
      const { agent } = await client().call('hello', {});
      if (how === 'shutdown') await client().call('shutdown', {});
      else process.kill(agent.pid, how);
      // A zombie has no namespaces. Until it is gone, an agent may still take a connection, which it then closes.
      while (existsSync(`/proc/${agent.pid}/ns/net`)) await sleep(5);
      kept = undefined;
    },
    inventory: () => client().call('inventory', {}),
    remove: async () => {
      for (const { client: channel, ended } of attached) {
        channel.close();
        await ended;
      }
      // The agent first: it would start its routers' daemons again.
      await endProcesses(namespace);
      for (const name of readdirSync('/run/netns').filter((name) => name.startsWith(namespace))) {
        await endProcesses(name);
        execFileSync('ip', ['netns', 'del', name]);
        for (const root of [daemonRoot, machineRoot]) rmSync(join(root, name), { recursive: true, force: true });
      }
      rmSync(directory, { recursive: true });
    },
  };
}

export function testPolicy(namespacePrefix: string, limits: Partial<Policy['limits']> = {}): Policy {
  return policySchema.parse({
    slice: 'test',
    vnet: '10.65.0.0/16',
    interfacePrefix: 'pv001-',
    namespacePrefix,
    table: 50_001,
    rulePriority: 10_001,
    nexthops: { first: 65_536, last: 131_071 },
    vnis: { first: 4096, last: 8191 },
    limits,
  });
}

function ip(namespace: string, words: string): string {
  return execFileSync('ip', ['-n', namespace, ...words.split(' ')], { encoding: 'utf8', stdio: 'pipe' }).trim();
}

/** Kills all processes in the namespace, which are the agents started there, or the daemons of a router. */
async function endProcesses(namespace: string): Promise<void> {
  const pids = () => ipPids(namespace);
  for (const pid of pids()) kill(pid);
  while (pids().length > 0) await sleep(5);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // It ended with another one.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function ipPids(namespace: string): number[] {
  return execFileSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' }).split('\n').filter(Boolean).map(Number);
}

/** Returns the text of the agent's log. */
export function agentLog({ directory, policy }: AgentNode): string {
  return readFileSync(join(directory, 'run', `${policy.slice}.log`), 'utf8');
}

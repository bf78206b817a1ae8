/** The place of a campaign: an installed VN on its own testbed, and the means to cause faults. */

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { daemonRoot } from '../../src/agent/daemons/place.ts';
import type { Context } from '../../src/controller/base/context.ts';
import { withAgents } from '../../src/controller/nodes/agents.ts';
import { type CountedFlow, startTraffic } from '../../src/controller/probe/traffic.ts';
import type { Dataplane } from '../../src/model/dataplane.ts';
import type { Slice, VirtualNetwork } from '../../src/model/slice.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { nodeDirectory, nodeFiles } from '../../src/testbed/layout.ts';
import type { Testbed } from '../../src/testbed/record.ts';
import { cutNode, healNode } from '../../src/testbed/underlay.ts';
import { type CommandLine, commandLine } from '../support/command-line.ts';
import { processesNaming, processesOf } from '../support/kernel.ts';
import { gallery } from '../support/slices.ts';

export interface Place {
  readonly vnm: CommandLine;
  readonly slice: Slice;
  readonly vn: VirtualNetwork;
  readonly store: Store;
  readonly dataplane: Dataplane;
  /** Runs the VN's flows during `body` and counts them. */
  underTraffic(body: () => Promise<void>): Promise<CountedFlow[]>;
  /** Kills the routing daemons of the routers on a node. Returns their number. */
  killDaemons(node: string): number;
  /** Kills the processes of a node whose command contains the text. Returns their number. */
  kill(node: string, text: string, signal?: NodeJS.Signals): number;
  /** Breaks the SSH connections to a node, or on the userspace data plane what they lead to. */
  cutSsh(node: string): void;
  /** Cuts a node off: its tunnels and its SSH server. */
  cut(node: string): Promise<void>;
  heal(node: string): Promise<void>;
  /** Restarts the node's agent with a clock that a file shifts. Returns the file. */
  shiftClock(node: string): string;
  /** Changes the node's policy for the slice, which the next agent reads. Returns a function that restores it. */
  changePolicy(node: string, change: (policy: Record<string, unknown>) => unknown): () => void;
  /** Holds the database's write lock until the returned function is called. */
  lockDatabase(): () => void;
  /** Leaves the database no disk space until the returned function is called. */
  fillDisk(): () => void;
  remove(): Promise<void>;
}

interface PlaceOptions {
  readonly divideLatenciesBy?: number;
  readonly dataplane?: Dataplane;
  /** Gives the routers of a list of names routing daemons, BIRD and FRR in turn, which speak OSPF. */
  readonly living?: boolean;
}

/**
 * Prepares a slice file of the gallery. Divides its latencies, so that many runs fit into an hour. The userspace data
 * plane needs no root.
 */
export async function makePlace(
  file: string,
  { divideLatenciesBy = 4, dataplane = 'kernel', living = false }: PlaceOptions = {},
): Promise<Place> {
  const vnm = commandLine();
  if (dataplane === 'kernel') {
    // A separate disk for the database and the nodes' files, which can become full.
    mount(vnm.directory, '256m');
    mkdirSync(join(vnm.directory, 'home'));
  }
  const path = join(vnm.directory, 'slice.yaml');
  const text = readFileSync(gallery(file), 'utf8');
  const faster = (_: string, before: string, value: string) =>
    `${before}${Math.ceil(Number(value) / divideLatenciesBy)}`;
  const quick = text.replace(/(\[\w+, \w+, )(\d+)(?=\])/g, faster).replace(/(default: )(\d+)/, faster);
  writeFileSync(path, living ? withDaemons(quick) : quick);
  const testbed = await vnm.ok<Testbed>('testbed up', path, '--dataplane', dataplane);
  await vnm.ok('install', path);
  const store = openStore(vnm.database);
  const slice = store.slices.find(readSlice(path).name)!;
  const vn = slice.vns[0]!;
  const context: Context = { store, acceptNewHostKeys: false, report: () => {} };
  const namespace = (node: string) => testbed.nodes.find(({ name }) => name === node)!.namespace;
  const home = (node: string) => nodeDirectory(testbed.directory, node);
  const processes = (node: string) =>
    dataplane === 'kernel' ? processesOf(namespace(node)) : processesNaming(`${home(node)}/`);
  const find = (node: string, words: string) =>
    processes(node).filter(({ command }) => command.includes(words) && !command.startsWith('/bin/sh'));
  const kill = (node: string, words: string, signal: NodeJS.Signals = 'SIGKILL') => {
    const found = find(node, words);
    for (const { pid } of found) process.kill(pid, signal);
    return found.length;
  };

  return {
    vnm,
    slice,
    vn,
    store,
    dataplane,
    kill,
    killDaemons: (node) => {
      const found = processesNaming(`${daemonRoot}/${namespace(node)}.`);
      for (const { pid } of found) killIfThere(pid);
      return found.length;
    },
    underTraffic: async (body) =>
      withAgents(
        context,
        slice,
        vn.endHosts.map(({ node }) => node),
        async (agents) => {
          const traffic = await startTraffic(
            agents,
            planVn(slice, vn),
            store.instances.settings(slice.name, vn.name)!.mtu,
          );
          await body();
          return traffic.finish();
        },
      ),
    cutSsh: (node) => {
      if (dataplane === 'userspace') {
        kill(node, 'attach --slice');
        return;
      }
      const { port } = testbed.nodes.find(({ name }) => name === node)!;
      execFileSync('ss', ['--kill', '--tcp', '--numeric', 'state', 'established', 'src', `127.0.0.1:${port}`]);
    },
    cut: async (node) => {
      await cutNode(testbed, node);
      kill(node, 'ssh-server', 'SIGSTOP');
    },
    heal: async (node) => {
      kill(node, 'ssh-server', 'SIGCONT');
      await healNode(testbed, node);
    },
    shiftClock: (node) => {
      const shift = join(vnm.directory, `shift-${node}`);
      writeFileSync(shift, '0');
      const [agent] = find(node, 'daemon --slice');
      const words = readFileSync(`/proc/${agent!.pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
      const environment = Object.fromEntries(
        readFileSync(`/proc/${agent!.pid}/environ`, 'utf8')
          .split('\0')
          .filter(Boolean)
          .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      );
      process.kill(agent!.pid, 'SIGKILL');
      const lock = join(environment.PL_VNM_DIR!, 'run', `${slice.name}.lock`);
      const inside = dataplane === 'kernel' ? ['nsenter', `--net=/run/netns/${namespace(node)}`, '--'] : [];
      const [program, ...args] = [...inside, 'flock', '--no-fork', lock, ...words] as [string, ...string[]];
      spawn(program, args, {
        env: { ...environment, PL_VNM_CLOCK_SKEW_MS: `@${shift}` },
        detached: true,
        stdio: 'ignore',
        cwd: '/',
      }).unref();
      return shift;
    },
    changePolicy: (node, change) => {
      const policy = nodeFiles(home(node)).policy(slice.name);
      const before = readFileSync(policy, 'utf8');
      writeFileSync(policy, JSON.stringify(change(JSON.parse(before) as Record<string, unknown>)));
      return () => writeFileSync(policy, before);
    },
    lockDatabase: () => {
      const db = new Database(vnm.database);
      db.exec('begin immediate');
      return () => {
        db.exec('rollback');
        db.close();
      };
    },
    fillDisk: () => {
      const filler = join(vnm.directory, 'filler');
      execFileSync('sh', ['-c', 'dd if=/dev/zero of="$1" bs=64k 2>/dev/null; true', 'sh', filler]);
      return () => execFileSync('rm', ['-f', filler]);
    },
    remove: async () => {
      store.close();
      await vnm.ok('testbed down');
      // Unmount lazily: a process with an open file there may just be ending.
      if (dataplane === 'kernel') execFileSync('umount', ['--lazy', vnm.directory]);
      vnm.remove();
    },
  };
}

function withDaemons(text: string): string {
  const names = /^ {2}routers: \[([\w, ]+)\]$/m.exec(text)?.[1]?.split(', ');
  if (names === undefined) throw new Error('the slice file has no list of names of routers');
  const routers = names.map((name, index) => `{ name: ${name}, kind: ${index % 2 === 0 ? 'bird' : 'frr'} }`);
  const routing = '  routing: { protocol: ospf, hello: 1, dead: 4 }';
  return text.replace(/^ {2}routers: .*$/m, `  routers: [${routers.join(', ')}]\n${routing}`);
}

/** Others of the same daemon may end with the first. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function mount(directory: string, size: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', directory]);
}

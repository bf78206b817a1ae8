/**
 * BIRD 2: one process per router, as user `bird` with the capabilities that it keeps for routes and sockets. It runs
 * apart from other processes, so that a checkpoint of it is complete.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, VnmError } from '../../model/errors.ts';
import { restoreApart, startApart } from './apart.ts';
import { askBird } from './bird-control.ts';
import { countChanges, parseOspfNeighbours, parseProtocols, stateOf } from './bird-state.ts';
import type { DaemonDriver } from './driver.ts';
import { holdUpdates, letUpdatesGo, sendUpdates } from './held-updates.ts';
import { daemonRoot, type Place, writeFor } from './place.ts';
import { ended, lastWords, readLog, runFor, startIn } from './processes.ts';
import { findProgram, versionOf } from './programs.ts';

const user = 'bird';
const configName = 'bird.conf';
const startMs = 10_000;
/** BIRD sends its grace LSAs and ends within a second. */
const leaveMs = 3000;
const pollMs = 20;

export const bird: DaemonDriver = {
  kind: 'bird',
  user,
  routeProtocols: [12],
  find: async () => {
    const path = findProgram('bird');
    if (path === undefined) return { lacks: "there is no 'bird' (package bird2)" };
    const version = await versionOf(path);
    if (version?.startsWith('2.') !== true)
      return { lacks: `BIRD 2 is needed, not ${version ?? 'an unknown version'}` };
    return { version };
  },
  processesOf: () => ['bird'],
  check: async (trial, owner, config) => {
    const path = writeFor(trial, owner, configName, config);
    const { code, stderr } = await runFor(['bird', '-p', '-u', user, '-g', user, '-c', path]);
    if (code === 0) return;
    throw new VnmError('invalid-input', `BIRD refuses its configuration: ${withoutPath(stderr, path)}`);
  },
  start: async (place, owner, { config }, { graceful = false } = {}) => {
    writeFor(place, owner, configName, config);
    if (graceful && (await holdUpdates(place))) void letUpdatesGo(place).catch(() => {});
    await startBird(place, graceful ? ['-R'] : []);
  },
  resume: sendUpdates,
  cleanUp: sendUpdates,
  leave: async (place, running) => {
    await askBird(controlSocket(place), 'graceful restart');
    await ended(running, leaveMs);
  },
  reconfigure: async (place, owner, before, after) => {
    writeFor(place, owner, configName, after.config);
    try {
      await askBird(controlSocket(place), 'configure');
    } catch (error) {
      // For the next start: the running one kept the former configuration.
      writeFor(place, owner, configName, before.config);
      throw error;
    }
  },
  state: async (place) => {
    const socket = controlSocket(place);
    const protocols = parseProtocols(await askBird(socket, 'show protocols all'));
    const neighbours = [];
    for (const { name, type } of protocols) {
      if (type === 'OSPF')
        neighbours.push(...parseOspfNeighbours(await askBird(socket, `show ospf neighbors ${name}`)));
    }
    return stateOf(protocols, neighbours);
  },
  checkpoint: {
    configName,
    answers: async (place) => {
      await askBird(controlSocket(place), 'show status');
    },
    restore: async (place, known, restorer, { output, words }) => {
      const folders = { root: daemonRoot, here: place.folder, known };
      const { exited } = startIn({ ...place, log: output }, restoreApart(folders, restorer));
      await answering(place, exited, words);
    },
  },
  neighbourEvents: async (place) => {
    const socket = controlSocket(place);
    for (const { name, type } of parseProtocols(await askBird(socket, 'show protocols all'))) {
      if (type === 'OSPF') await askBird(socket, `debug ${name} { events }`);
    }
    return countChanges(readLog(place));
  },
};

function controlSocket({ folder }: Place): string {
  return join(folder, 'bird.ctl');
}

/** Starts BIRD with the configuration in its folder. Resolves when it answers. Throws VnmError `failed`. */
async function startBird(place: Place, how: readonly string[]): Promise<void> {
  const ids = ['-u', user, '-g', user];
  const files = ['-c', join(place.folder, configName), '-s', controlSocket(place)];
  const { exited } = startIn(place, startApart(place.log, ['bird', '-f', ...how, ...ids, ...files]));
  await answering(place, exited, () => lastWords(place));
}

/** Resolves when BIRD answers. `exited`: of the process that it depends on. Throws VnmError `failed`. */
async function answering(place: Place, exited: Promise<number | null>, words: () => string): Promise<void> {
  let end: string | undefined;
  exited.then(
    (code) => {
      end = `it ended with code ${code}`;
    },
    (error: unknown) => {
      end = messageOf(error);
    },
  );
  for (const endMs = performance.now() + startMs; ; await sleep(pollMs)) {
    try {
      await askBird(controlSocket(place), 'show status');
      return;
    } catch (error) {
      if (end === undefined && performance.now() < endMs) continue;
      const why = end ?? messageOf(error);
      throw new VnmError('failed', `BIRD in '${place.namespace}' did not start: ${why}: ${words()}`);
    }
  }
}

function withoutPath(stderr: string, path: string): string {
  return stderr.trim().replaceAll(path, configName).split('\n').slice(-3).join('; ');
}

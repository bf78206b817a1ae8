/** Files of a result folder that several processes write. */
import { linkSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it, vi } from 'vitest';
import { parseExperiment } from '../../src/experiment/file/parse.ts';
import { describeSession, sessionsOf, writeSessions } from '../../src/experiment/results/environment.ts';
import { createFolder, openFolder } from '../../src/experiment/results/folder.ts';
import { lockFolder } from '../../src/experiment/results/lock.ts';
import { gallery } from '../support/slices.ts';
import { goodExperiment, noImage, temporaryResults } from './support/files.ts';

/** Called once, when a process has found out that the holder of a lock has ended. */
let meanwhile: (() => void) | undefined;

vi.mock('../../src/controller/base/lock.ts', async (original) => {
  const real = await original<typeof import('../../src/controller/base/lock.ts')>();
  return {
    ...real,
    isDead: (holder: Parameters<typeof real.isDead>[0]) => {
      const isDead = real.isDead(holder);
      const other = meanwhile;
      meanwhile = undefined;
      other?.();
      return isDead;
    },
  };
});

beforeEach(() => {
  meanwhile = undefined;
});

/** The lock of a process that has ended. */
function leaveLock(folder: string): void {
  const unlock = lockFolder(folder);
  const file = join(folder, 'lock.json');
  const holder = JSON.parse(readFileSync(file, 'utf8'));
  unlock();
  writeFileSync(file, JSON.stringify({ ...holder, processStart: 'another' }));
}

it('has one holder if two processes find the lock of a third that has ended', () => {
  const folder = temporaryResults();
  leaveLock(folder);
  let unlock: (() => void) | undefined;
  meanwhile = () => {
    unlock = lockFolder(folder);
  };
  expect(() => lockFolder(folder)).toThrow(expect.objectContaining({ code: 'conflict' }));
  expect(readdirSync(folder)).toEqual(['lock.json']);
  unlock!();
  expect(readdirSync(folder)).toEqual([]);
});

it('can be locked after a process was killed while it took over the lock of another', () => {
  const folder = temporaryResults();
  leaveLock(folder);
  writeFileSync(join(folder, 'lock.json.stale'), readFileSync(join(folder, 'lock.json')));
  lockFolder(folder)();
  expect(readdirSync(folder)).toEqual([]);
});

it('never has a part of its sessions: the file is replaced, not written over', () => {
  const folder = temporaryResults();
  const one = describeSession(Date.UTC(2026, 10, 30), null, []);
  writeSessions(folder, [one]);
  linkSync(join(folder, 'environment.json'), join(folder, 'earlier'));
  writeSessions(folder, [one, one]);
  expect(JSON.parse(readFileSync(join(folder, 'earlier'), 'utf8')).sessions).toEqual([one]);
  expect(sessionsOf(folder)).toEqual([one, one]);
  expect(readdirSync(folder).toSorted()).toEqual(['earlier', 'environment.json']);
});

it('knows the images of virtual machines that the slice file names, wherever the folder is', async () => {
  const text = readFileSync(gallery('two-node'), 'utf8').replace(
    'routers: [a, b]',
    'routers: [{ name: a, kind: image, image: ../router.tar }, b]',
  );
  const around = {
    slice: () => ({ text, file: '/nowhere/two-node.yaml' }),
    config: () => '',
    image: noImage,
  };
  const checked = parseExperiment(goodExperiment, 'good.yaml', around);
  const { path } = await createFolder({ ...checked, shard: undefined, results: temporaryResults() });
  const { experiment, sources } = openFolder(path);
  expect(experiment.slice.vns[0]!.routers[0]!.config).toMatchObject(noImage());
  expect(sources.images).toEqual({ '../router.tar': noImage() });
});

/** Finds programs where administrators' packages put them. */
import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';
import { runTogether } from '../run-steps.ts';
import { daemonEnvironment } from './processes.ts';

const directories = daemonEnvironment.PATH.split(':');

/** Returns the path of a program; `more`: directories to look in first. */
export function findProgram(name: string, more: readonly string[] = []): string | undefined {
  return [...more, ...directories]
    .map((directory) => join(directory, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

const versions = new Map<string, { readonly mtimeMs: number; readonly version: string | undefined }>();

/** Returns the version that the program prints after `label`; runs it again only after it was replaced. */
export async function versionOf(path: string, label = /version (\S+)/): Promise<string | undefined> {
  const { mtimeMs } = statSync(path);
  const known = versions.get(path);
  if (known?.mtimeMs === mtimeMs) return known.version;
  const { stdout, stderr } = await runTogether([path, '--version']);
  const version = label.exec(`${stdout}${stderr}`)?.[1];
  versions.set(path, { mtimeMs, version });
  return version;
}

/** Which program makes the results. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { packageFile, packageVersion } from '../../model/package.ts';

export interface ProgramVersion {
  readonly version: string;
  /** The commit of a checkout; null for an installed package. */
  readonly commit: string | null;
  /** Whether files of the checkout differ from the commit. */
  readonly modified: boolean;
}

let known: ProgramVersion | undefined;

/** Found out once: what runs is what was read when it started. */
export function programVersion(): ProgramVersion {
  known ??= findVersion();
  return known;
}

function findVersion(): ProgramVersion {
  const root = packageFile('.');
  const none = { version: packageVersion(), commit: null, modified: false };
  if (!existsSync(packageFile('.git'))) return none;
  const git = (...words: string[]) =>
    execFileSync('git', ['-C', root, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return { ...none, commit: git('rev-parse', 'HEAD'), modified: git('status', '--porcelain', '-uno') !== '' };
  } catch {
    // Without git, or in a folder that git does not trust, the version has to do.
    return none;
  }
}

export function describeProgram({ version, commit, modified }: ProgramVersion): string {
  if (commit === null) return `version ${version}`;
  return `version ${version}, commit ${commit.slice(0, 12)}${modified ? ' with changes' : ''}`;
}

/** Whether results of both may be in one folder. */
export function isSameProgram(one: ProgramVersion, other: ProgramVersion): boolean {
  return one.version === other.version && one.commit === other.commit && one.modified === other.modified;
}

/** Which program makes the results. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageFile, packageVersion } from '../../model/package.ts';

export interface ProgramVersion {
  readonly version: string;
  /** The commit of a checkout; null for an installed package. */
  readonly commit: string | null;
  /** Whether files of the checkout differ from the commit. */
  readonly modified: boolean;
  /** SHA-256 of these differences; absent without any, and in folders of earlier commits. */
  readonly changes?: string | undefined;
}

let known: ProgramVersion | undefined;

/** Found out once: what runs is what was read when it started. */
export function programVersion(): ProgramVersion {
  known ??= findVersion(packageFile('.'));
  return known;
}

/** `root`: the folder of the package, which may be a checkout. */
export function findVersion(root: string): ProgramVersion {
  const none = { version: packageVersion(), commit: null, modified: false };
  if (!existsSync(join(root, '.git'))) return none;
  const git = (...words: string[]) =>
    execFileSync('git', ['-C', root, ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: Number.POSITIVE_INFINITY,
    }).trim();
  try {
    const known = { ...none, commit: git('rev-parse', 'HEAD') };
    const differences = git(...diff);
    if (differences === '') return known;
    return { ...known, modified: true, changes: createHash('sha256').update(differences).digest('hex') };
  } catch {
    // Without git, or in a folder that git does not trust, the version has to do.
    return none;
  }
}

/** Prints the same on every machine, whatever is set for git there. */
const diff = [
  ...['diff', 'HEAD', '--binary', '--full-index', '--no-ext-diff', '--no-textconv', '--no-color', '--no-renames'],
  ...['--no-prefix', '--unified=3', '--diff-algorithm=myers'],
];

export function describeProgram({ version, commit, modified, changes = '' }: ProgramVersion): string {
  if (commit === null) return `version ${version}`;
  return `version ${version}, commit ${commit.slice(0, 12)}${modified ? ` with changes ${changes.slice(0, 12)}`.trimEnd() : ''}`;
}

/** Whether results of both may be in one folder. */
export function isSameProgram(one: ProgramVersion, other: ProgramVersion): boolean {
  return (
    one.version === other.version &&
    one.commit === other.commit &&
    one.modified === other.modified &&
    one.changes === other.changes
  );
}

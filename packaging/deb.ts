/**
 * Builds a Debian package: `npm run deb -- [DIRECTORY]` writes `pl-vnm_VERSION_ARCHITECTURE.deb` there. It has the
 * program with its packages and the pinned Node.js, so it needs no other version of any, and no network.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { scripts } from '../src/cli/completion/scripts.ts';
import { changelogText, controlText, copyrightText } from './deb-texts.ts';
import { copyPackages, productionPackages } from './production.ts';
import { stagePackage } from './stage.ts';

const checkout = fileURLToPath(new URL('..', import.meta.url));

/** Where the package has the program. */
const home = 'usr/lib/pl-vnm';

const command = `#!/bin/sh\nexec /${home}/bin/node /${home}/src/cli/pl-vnm.mjs "$@"\n`;

/** Returns the path of the package. */
function buildDeb(directory: string): string {
  const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string };
  const architecture = execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim();
  const debianVersion = version.replace('-', '~');
  const root = mkdtempSync(join(tmpdir(), 'pl-vnm-deb-'));
  try {
    chmodSync(root, 0o755);
    fill(root, debianVersion);
    const installedKiB = Math.ceil(bytesIn(root) / 1024);
    write(root, 'DEBIAN/control', controlText({ version: debianVersion, architecture, installedKiB }));
    write(root, 'DEBIAN/md5sums', sumsOf(root));
    mkdirSync(directory, { recursive: true });
    const file = join(directory, `pl-vnm_${debianVersion}_${architecture}.deb`);
    // xz would make a file of three quarters of the size, in ten times the time.
    execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '--build', root, file], { stdio: ['ignore', 2, 2] });
    return file;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function fill(root: string, version: string): void {
  const program = join(root, home);
  mkdirSync(program, { recursive: true });
  stagePackage(checkout, program);
  const packages = productionPackages(checkout);
  copyPackages(checkout, packages, program);
  mkdirSync(join(program, 'bin'));
  // The Node.js that runs this is the pinned one.
  cpSync(process.execPath, join(program, 'bin/node'), { dereference: true });
  write(root, 'usr/bin/pl-vnm', command, 0o755);
  write(root, 'usr/share/man/man1/pl-vnm.1.gz', zipped(readFileSync(join(program, 'dist/pl-vnm.1'))));
  write(root, 'usr/share/bash-completion/completions/pl-vnm', `${scripts.bash}\n`);
  write(root, 'usr/share/zsh/vendor-completions/_pl-vnm', `${scripts.zsh}\n`);
  write(root, 'usr/share/fish/vendor_completions.d/pl-vnm.fish', `${scripts.fish}\n`);
  const doc = 'usr/share/doc/pl-vnm';
  const license = readFileSync(join(checkout, 'LICENSE'), 'utf8');
  write(root, `${doc}/copyright`, copyrightText(license, packages, process.version));
  write(root, `${doc}/changelog.Debian.gz`, zipped(changelogText(version, builtAt())));
  write(root, `${doc}/changelog.gz`, zipped(readFileSync(join(checkout, 'CHANGELOG.md'))));
  for (const [link, target] of [
    ['docs', 'docs'],
    ['examples', 'slices'],
  ] as const) {
    symlinkSync(`../../../lib/pl-vnm/${target}`, join(root, doc, link));
  }
  setModes(root);
}

/** As other builders of packages do, so that the same sources can make the same file. */
function builtAt(): Date {
  const { SOURCE_DATE_EPOCH } = process.env;
  return SOURCE_DATE_EPOCH === undefined ? new Date() : new Date(Number(SOURCE_DATE_EPOCH) * 1000);
}

function zipped(content: string | Buffer): Buffer {
  return gzipSync(content, { level: 9 });
}

function write(root: string, path: string, content: string | Buffer, mode = 0o644): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  chmodSync(file, mode);
}

interface Entry {
  readonly path: string;
  readonly kind: 'folder' | 'file' | 'link';
}

function entriesIn(root: string): Entry[] {
  return readdirSync(root, { recursive: true, withFileTypes: true }).map((entry) => ({
    path: join(entry.parentPath, entry.name),
    kind: entry.isDirectory() ? 'folder' : entry.isSymbolicLink() ? 'link' : 'file',
  }));
}

/** Everybody may read everything, whatever the umask was; what was executable for its owner is for all. */
function setModes(root: string): void {
  for (const { path, kind } of entriesIn(root)) {
    if (kind === 'link') continue;
    const isRun = kind === 'folder' || (lstatSync(path).mode & 0o100) !== 0;
    chmodSync(path, isRun ? 0o755 : 0o644);
  }
}

function bytesIn(root: string): number {
  return entriesIn(root).reduce((total, { path }) => total + lstatSync(path).size, 0);
}

/** The sums of all files, for `dpkg --verify`. */
function sumsOf(root: string): string {
  const files = entriesIn(root).flatMap(({ path, kind }) => (kind === 'file' ? [path.slice(root.length + 1)] : []));
  return files
    .filter((path) => !path.startsWith('DEBIAN/'))
    .toSorted()
    .map(
      (path) =>
        `${createHash('md5')
          .update(readFileSync(join(root, path)))
          .digest('hex')}  ${path}\n`,
    )
    .join('');
}

try {
  console.log(buildDeb(resolve(process.argv[2] ?? '.')));
} catch (error) {
  console.error(`deb: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

/** The small router image that tests boot (test/images), built once until what it is made of changes. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandPath } from '../../src/model/command-path.ts';

const scripts = fileURLToPath(new URL('../images', import.meta.url));
const programs = ['busybox', 'bird', 'birdc', 'cpio', 'qemu-system-x86_64', 'qemu-img'];
const kernelPattern = /^vmlinuz-.*-cloud-amd64$/;

/** Says which of the packages is missing; undefined if virtual machines can be tested here. */
export function lackForRouterImage(): string | undefined {
  const missing = programs.find((name) => commandPath(name) === undefined);
  if (missing !== undefined) return `they need '${missing}', which is not installed`;
  return kernels().length > 0 ? undefined : 'they need a kernel for guests (package linux-image-cloud-amd64)';
}

function kernels(): string[] {
  return existsSync('/boot') ? readdirSync('/boot').filter((name) => kernelPattern.test(name)) : [];
}

/** Returns the path of the image. The smallest memory in which it boots is 88 MiB. */
export function routerImage(): string {
  const builds = join(tmpdir(), `pl-vnm-router-images-${process.getuid?.() ?? 0}`);
  const directory = join(builds, digestOfInputs());
  const image = join(directory, 'router.tar');
  if (existsSync(image)) return image;
  mkdirSync(builds, { recursive: true, mode: 0o700 });
  const partial = mkdtempSync(join(builds, 'partial-'));
  try {
    execFileSync(join(scripts, 'build.sh'), [join(partial, 'router.tar')]);
    renameSync(partial, directory);
  } catch (error) {
    rmSync(partial, { recursive: true });
    // Another test has built it first.
    if (!existsSync(directory)) throw error;
  }
  return image;
}

function digestOfInputs(): string {
  const hash = createHash('sha256');
  for (const name of ['build.sh', 'init']) hash.update(readFileSync(join(scripts, name)));
  const binaries = programs.slice(0, 3).map((name) => commandPath(name)!);
  for (const path of [...binaries, ...kernels().map((name) => join('/boot', name))]) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}

/** The container image, where a builder runs; test/packaging/ checks the Dockerfile everywhere. */
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gallery } from '../support/slices.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
const tag = `pl-vnm-test-${process.pid}`;

const hasBuilder = spawnSync('docker', ['info'], { stdio: 'ignore', timeout: 30_000 }).status === 0;
// Unlike other missing programs this one does not fail CI: a daemon is not a package that CI could install.
const reason = hasBuilder ? '' : " (skipped: 'docker info' finds no daemon that could build an image)";
if (!hasBuilder) console.warn(`skipped 'the container image'${reason}`);

describe.skipIf(!hasBuilder)(`the container image${reason}`, () => {
  let directory: string;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'pl-vnm-container-'));
    cpSync(gallery('two-node'), join(directory, 'two-node.yaml'));
    await run('docker', ['build', '--tag', tag, '.'], { cwd: checkout, maxBuffer: 64 * 1024 * 1024 });
  }, 900_000);
  afterAll(async () => {
    if (directory === undefined) return;
    rmSync(directory, { recursive: true, force: true });
    await run('docker', ['image', 'rm', tag]);
  });

  const inside = async (options: readonly string[], ...words: string[]) =>
    (await run('docker', ['run', '--rm', ...options, tag, ...words], { maxBuffer: 64 * 1024 * 1024 })).stdout;

  it('runs the program as a user, on files of the working directory', async () => {
    expect(await inside([], '--version')).toMatch(/^\d+\.\d+\.\d+\n$/);
    const files = ['--volume', `${directory}:/data:ro`];
    expect(await inside(files, 'validate', 'two-node.yaml')).toBe('two-node.yaml: ok\n');
    expect(await inside(['--entrypoint', 'id'], '-un')).toBe('node\n');
  });

  it('runs the demo in user space', async () => {
    expect(await inside([], 'demo', '--dataplane', 'userspace')).toContain('Everything was taken down again.');
  });
});

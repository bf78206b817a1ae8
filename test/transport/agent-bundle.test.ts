import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { agentBundle } from '../../src/transport/agent-bundle.ts';

const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-bundle-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));

it('the agent is built once, and identified by its sha256', async () => {
  const bundle = await agentBundle();
  expect(bundle.digest).toBe(createHash('sha256').update(bundle.code).digest('hex'));
  expect(bundle.version).toBe(version);
  expect(await agentBundle()).toBe(bundle);
});

it('the agent is one file that runs on its own, the same from wherever it is built', async () => {
  const file = join(directory, 'new', 'agent.mjs');
  execFileSync(process.execPath, [resolve('src/cli/build.ts'), dirname(file)], { cwd: directory });
  expect(readFileSync(file).equals((await agentBundle()).code)).toBe(true);
  expect(execFileSync(process.execPath, [file, 'version'], { cwd: directory }).toString()).toContain(version);
});

it('the agent loads modules of Node.js where they are used, and none before it runs', async () => {
  const { code } = await agentBundle();
  const imported = [...code.toString().matchAll(/(?<=^|;)import\b[^"'();]*["']([^"']*)["']/gm)].map(([, name]) => name);
  expect(imported).toEqual(['node:module']);
});

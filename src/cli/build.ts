/**
 * Builds the program: `node src/cli/build.ts DIRECTORY` writes the command line, the testbed's processes, the agent and
 * the manual page there. Loading a few files is several times faster for Node.js than finding some hundred modules.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as esbuild from 'esbuild';
import { packageFile } from '../model/package.ts';
import { agentBundle, bundling } from '../transport/agent-bundle.ts';
import { manPage } from './man.ts';
import { createProgram } from './program.ts';

/** The programs that run as separate processes, under their names in the build. */
const programs = [
  'cli/main',
  'testbed/ssh-server',
  'testbed/relay',
  'testbed/userspace-servers',
  'testbed/links/prober',
];

/** Packages with parts that are not modules (native code, WebAssembly, data files), or that load parts by name. */
const external = [
  '@fastify/swagger',
  '@resvg/resvg-js',
  'better-sqlite3',
  'esbuild',
  'fastify',
  'opentype.js',
  'pino',
  'prom-client',
  'ssh2',
  'vega',
  'vega-lite',
];

async function build(directory: string): Promise<void> {
  await esbuild.build({
    absWorkingDir: packageFile('.'),
    entryPoints: programs.map((name) => ({ in: `src/${name}.ts`, out: name })),
    outdir: directory,
    ...bundling,
    splitting: true,
    chunkNames: 'shared/[name]-[hash]',
    target: 'node22',
    external,
    logLevel: 'warning',
  });
  const { code } = await agentBundle();
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'agent.mjs'), code, { mode: 0o755 });
  await writeFile(join(directory, 'pl-vnm.1'), manPage(createProgram()));
}

const [directory] = process.argv.slice(2);
if (directory === undefined) {
  console.error('usage: build DIRECTORY');
  process.exitCode = 2;
} else {
  await build(directory);
}

/** The agent as one file, as it is copied to nodes. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

export interface AgentBundle {
  readonly code: Buffer;
  /** sha256 of `code`, in hex. */
  readonly digest: string;
  readonly version: string;
}

let bundle: Promise<AgentBundle> | undefined;

/** In a checkout built from the sources, once per process; in the published package read from beside the other files. */
export function agentBundle(): Promise<AgentBundle> {
  bundle ??= loadBundle();
  return bundle;
}

async function loadBundle(): Promise<AgentBundle> {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  const code = import.meta.url.endsWith('.ts')
    ? await build(version)
    : await readFile(new URL('../agent.mjs', import.meta.url));
  return { code, digest: createHash('sha256').update(code).digest('hex'), version };
}

async function build(version: string): Promise<Buffer> {
  // A development dependency, which the published package does not have.
  const esbuild = await import('esbuild');
  const { outputFiles } = await esbuild.build({
    // File names in the output are relative to it, so that the digest does not depend on where the command runs.
    absWorkingDir: fileURLToPath(new URL('../..', import.meta.url)),
    entryPoints: ['src/agent/main.ts'],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    define: { __PL_VNM_VERSION__: JSON.stringify(version) },
    // CommonJS dependencies load Node.js's own modules by `require`, which an ES module does not have.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module';\nconst require = makeRequire(import.meta.url);",
    },
    logLevel: 'silent',
  });
  return Buffer.from(outputFiles[0]!.contents);
}

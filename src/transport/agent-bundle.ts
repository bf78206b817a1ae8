/** The agent as one file, in the form that is copied to nodes. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'esbuild';
import { isBuilt, packageFile, packageVersion } from '../model/package.ts';

export interface AgentBundle {
  readonly code: Buffer;
  /** sha256 of `code`, in hex. */
  readonly digest: string;
  readonly version: string;
}

let bundle: Promise<AgentBundle> | undefined;

/**
 * Returns the agent. A checkout builds it from the sources, once until they change; the published package contains it.
 */
export function agentBundle(): Promise<AgentBundle> {
  bundle ??= loadBundle();
  return bundle;
}

async function loadBundle(): Promise<AgentBundle> {
  const version = packageVersion();
  const code = isBuilt ? await readFile(packageFile('dist/agent.mjs')) : await buildOnce(version);
  return { code, digest: createHash('sha256').update(code).digest('hex'), version };
}

/** How everything that is built becomes modules that run on their own. */
export const bundling = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  // CommonJS dependencies load Node.js's own modules by `require`, which an ES module does not have.
  banner: {
    js: "import { createRequire as makeRequire } from 'node:module';\nconst require = makeRequire(import.meta.url);",
  },
} as const;

/** Building takes almost a second of processor time, and every command that connects to a node needs the result. */
async function buildOnce(version: string): Promise<Buffer> {
  const kept = packageFile(`node_modules/.cache/pl-vnm/agent-${await digestOfSources()}.mjs`);
  try {
    return await readFile(kept);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const code = await build(version);
  await keep(kept, code);
  return code;
}

/**
 * Where this fails (a checkout that this user may not write to, a full disk), the next command only has to build again.
 */
async function keep(path: string, code: Buffer): Promise<void> {
  const partial = `${path}.${process.pid}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    // Several commands may build at once; a file under this name is always complete.
    await writeFile(partial, code);
    await rename(partial, path);
  } catch {
    await rm(partial, { force: true }).catch(() => undefined);
  }
}

/** Digest of everything that the file may be made from. */
async function digestOfSources(): Promise<string> {
  const sources = await readdir(packageFile('src'), { recursive: true });
  const names = [
    ...sources.filter((name) => name.endsWith('.ts')).map((name) => join('src', name)),
    'package-lock.json',
  ];
  const hash = createHash('sha256');
  const contents = await Promise.all(
    names.sort().map(async (name) => ({ name, text: await readFile(packageFile(name)) })),
  );
  for (const { name, text } of contents) hash.update(`${name}\0${text.length}\0`).update(text);
  return hash.digest('hex');
}

/**
 * Node.js loads the imports of an ES module before any of its code runs. With `require`, each built-in module is loaded
 * together with the part of the agent that uses it. `attach` runs for every connection and uses few.
 *
 * Imports get an ES module of constants, of which esbuild keeps those that something uses. For a CommonJS module it
 * would copy all names, a hundred of `node:fs` alone, into every importing file when the agent starts.
 */
const requiredBuiltins: Plugin = {
  name: 'required-builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /.*/ }, ({ path, namespace, kind }) => {
      if (namespace === 'builtin' || namespace === 'builtin-commonjs') return { path, external: true };
      if (!isBuiltin(path)) return undefined;
      const name = path.replace(/^(node:)?/, 'node:');
      return { path: name, namespace: kind === 'require-call' ? 'builtin-commonjs' : 'builtin' };
    });
    onLoad({ filter: /.*/, namespace: 'builtin-commonjs' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
    onLoad({ filter: /.*/, namespace: 'builtin' }, async ({ path }) => ({ contents: await constantsOf(path) }));
  },
};

/** Returns an ES module with all names of a built-in one. A name that the node's Node.js lacks is undefined there. */
async function constantsOf(builtin: string): Promise<string> {
  const names = Object.keys(await import(builtin)).filter((name) => name !== 'default');
  return [
    `const all = /* @__PURE__ */ require(${JSON.stringify(builtin)});`,
    'export default all;',
    // Marked, so that it is left out where nothing uses it: reading a name may load another module.
    ...names.map((name) => `export const ${name} = /* @__PURE__ */ (() => all.${name})();`),
  ].join('\n');
}

async function build(version: string): Promise<Buffer> {
  // A development dependency, which the published package does not have.
  const esbuild = await import('esbuild');
  const { outputFiles } = await esbuild.build({
    // File names in the output are relative to this directory, so the digest does not depend on where the command runs.
    absWorkingDir: packageFile('.'),
    entryPoints: ['src/agent/main.ts'],
    write: false,
    ...bundling,
    target: 'node20',
    // Fewer bytes to copy and to parse. Names stay: the agent's log has stacks.
    minifyWhitespace: true,
    minifySyntax: true,
    define: { __PL_VNM_VERSION__: JSON.stringify(version) },
    plugins: [requiredBuiltins],
    logLevel: 'silent',
  });
  return Buffer.from(outputFiles[0]!.contents);
}

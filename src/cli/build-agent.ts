/** Writes the agent as one file: `node src/cli/build-agent.ts PATH`. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { agentBundle } from '../transport/agent-bundle.ts';

const [path] = process.argv.slice(2);
if (path === undefined) {
  console.error('usage: build-agent PATH');
  process.exitCode = 2;
} else {
  const { code } = await agentBundle();
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, code, { mode: 0o755 });
}

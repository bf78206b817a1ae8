import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { agentBundle } from '../../src/transport/agent-bundle.ts';
import { describeAsRoot } from '../support/privileges.ts';

const cache = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));
const module = new URL('../../src/transport/agent-bundle.ts', import.meta.url);

describeAsRoot('a checkout that cannot be written to', () => {
  it('a read-only checkout builds the same agent again', async () => {
    mkdirSync(cache, { recursive: true });
    const script = `import { agentBundle } from '${module}'; console.log((await agentBundle()).digest);`;
    const mounted = `mount -t tmpfs -o ro none "$1" && shift && exec "$@"`;
    const node = [process.execPath, '--input-type=module', '-e', script];
    const said = execFileSync('unshare', ['--mount', 'sh', '-c', mounted, 'sh', cache, ...node], { encoding: 'utf8' });
    expect(said.trim()).toBe((await agentBundle()).digest);
  });
});

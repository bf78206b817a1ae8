/** An agent that speaks the protocol and does nothing, for tests of the connection to it. */
import { createHash } from 'node:crypto';
import type { AgentBundle } from '../../src/transport/agent-bundle.ts';

/**
 * Files in PL_VNM_DIR control it. `daemon` with a digest: an older agent runs, until some time after a request to shut
 * down; with `stubborn` that request only breaks its connections. `broken`: writes that file's text to stderr and ends.
 * `noisy`: writes that file's text to stdout first. It never answers `inventory`; `routes` makes it end with exit code
 * 7.
 */
const script = `
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
const directory = process.env.PL_VNM_DIR;
const file = (name) => directory + '/' + name;
const read = (name) => (existsSync(file(name)) ? readFileSync(file(name), 'utf8') : undefined);
if (read('broken') !== undefined) {
  process.stderr.write(read('broken'), () => process.exit(3));
} else {
  process.stdout.write(read('noisy') ?? '');
  let text = '';
  process.stdin.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
    for (let head; (head = /Content-Length: (\\d+)[^]*?\\r\\n\\r\\n/.exec(text)); ) {
      const start = head.index + head[0].length;
      if (text.length < start + Number(head[1])) return;
      const request = JSON.parse(text.slice(start, start + Number(head[1])));
      text = text.slice(start + Number(head[1]));
      answer(request);
    }
  });
}
function answer({ id, method }) {
  if (method === 'inventory') return;
  if (method === 'routes') return process.stderr.write('out of routes\\n', () => process.exit(7));
  const own = createHash('sha256').update(readFileSync(process.argv[1])).digest('hex');
  const facts = {
    agent: { version: '0', digest: read('daemon') ?? own, pid: 1, startedAt: 0, node: process.version },
    policy: JSON.parse(read('policy/' + process.argv[4] + '.json') ?? Buffer.from(process.argv[6], 'base64url').toString()),
    kernel: '', features: [], arguments: process.argv.slice(2), execPath: process.execPath,
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id, result: method === 'hello' ? facts : {} });
  process.stdout.write('Content-Length: ' + Buffer.byteLength(body) + '\\r\\n\\r\\n' + body);
  if (method !== 'shutdown') return;
  setTimeout(() => {
    if (read('stubborn') === undefined) rmSync(file('daemon'), { force: true });
    process.stdin.destroy();
  }, 100);
}
`;

export const fakeBundle: AgentBundle = {
  code: Buffer.from(script),
  digest: createHash('sha256').update(script).digest('hex'),
  version: '0',
};

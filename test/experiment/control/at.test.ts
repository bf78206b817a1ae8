/** A job of `at` in a shell, without `at`. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect, it } from 'vitest';
import { jobText, presence } from '../../../src/experiment/control/at.ts';
import { accompany } from '../../../src/experiment/control/companion.ts';
import type { AgentConnection } from '../../../src/transport/agent-connection.ts';
import { temporaryResults } from '../support/files.ts';

const mark = 'pl-vnm-at-mark';
const redirection = { gateway: 'gw1', node: 'n1', offsetMs: 10, groups: [], command: 'touch redirected' } as never;

/** Runs commands of a node in a home of its own. */
function nodeIn(home: string) {
  const env = { ...process.env, HOME: home };
  const stream: AgentConnection['stream'] = async ([program, ...words], { stdin, stdout }) => {
    const child = spawn(program!, words, { env, stdio: ['pipe', 'pipe', 'ignore'] });
    await Promise.all([pipeline(stdin, child.stdin), pipeline(child.stdout, stdout), once(child, 'exit')]);
    return { code: child.exitCode };
  };
  const job = () => {
    const input = jobText(redirection, mark, `${mark}-0`);
    const { stdout, stderr } = spawnSync('sh', { cwd: home, env, input, encoding: 'utf8' });
    return `${stdout}${stderr}`;
  };
  return { node: 'n1', stream, job };
}

it('redirects while the controller is there', async () => {
  const home = temporaryResults();
  const node = nodeIn(home);
  const leave = await accompany(node, presence(mark), 'presence');
  expect(node.job()).toBe('');
  expect(existsSync(join(home, 'redirected'))).toBe(true);
  expect(readFileSync(join(home, `${mark}-0`), 'utf8')).toMatch(/^\d{19} \d{19} 0\n$/);
  await leave();
  expect(readdirSync(home)).not.toContain(`${mark}.here`);
});

it('does nothing, and says nothing, after the controller has gone', async () => {
  const home = temporaryResults();
  const node = nodeIn(home);
  const leave = await accompany(node, presence(mark), 'presence');
  await leave();
  expect(node.job()).toBe('');
  expect(readdirSync(home)).toEqual([]);
});

it('does nothing if what stood for the controller was killed', () => {
  const home = temporaryResults();
  writeFileSync(join(home, `${mark}.here`), `${spawnSync('true').pid}\n`);
  expect(nodeIn(home).job()).toBe('');
  expect(existsSync(join(home, 'redirected'))).toBe(false);
});

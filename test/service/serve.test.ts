import { existsSync, readFileSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { serve } from '../../src/service/serve.ts';
import { logLines } from '../support/log-lines.ts';
import { temporaryStore } from '../support/temporary-store.ts';

/** Runs the service until the body has ended. */
async function served(
  token: string | undefined,
  body: (at: { url: string; tokenFile: string; logged: () => string }) => Promise<void>,
): Promise<void> {
  const { store, remove } = temporaryStore();
  const abort = new AbortController();
  const { log, text } = logLines();
  const options = { host: '127.0.0.1', port: 0, allowedHosts: [], token, acceptNewHostKeys: false, version: '1' };
  const ended = serve(store, options, log, abort.signal);
  const tokenFile = `${store.path}.token`;
  try {
    await expect.poll(() => text()).toContain('listening on');
    await body({ url: store.health.service()!.url, tokenFile, logged: text });
  } finally {
    abort.abort();
    await ended;
    expect(existsSync(tokenFile)).toBe(false);
    remove();
  }
}

const change = async (url: string, authorization?: string) => {
  const headers = authorization === undefined ? {} : { authorization };
  return (await fetch(`${url}/api/jobs/nightly/pause`, { method: 'POST', headers })).status;
};

test('on loopback the service writes a token for changes to a file of its user, and removes it when it ends', async () => {
  await served(undefined, async ({ url, tokenFile, logged }) => {
    expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
    const token = readFileSync(tokenFile, 'utf8').trim();
    expect((await fetch(`${url}/api/slices`)).status).toBe(200);
    expect(await change(url)).toBe(401);
    expect(await change(url, 'Bearer another-token-of-the-tests')).toBe(401);
    expect(await change(url, `Bearer ${token}`)).toBe(404);
    expect(logged()).toContain(`token in ${tokenFile}`);
    expect(logged()).not.toContain(token);
  });
});

test('a given token is needed for everything, and the service makes no other', async () => {
  await served('a-token-of-the-tests', async ({ url, tokenFile }) => {
    expect(existsSync(tokenFile)).toBe(false);
    expect((await fetch(`${url}/api/slices`)).status).toBe(401);
    expect(await change(url, 'Bearer a-token-of-the-tests')).toBe(404);
  });
});

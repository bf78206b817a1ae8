import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An empty home directory, without an ssh agent, until `restore` is called. */
export function temporaryHome(): { path: string; restore(): void } {
  const path = mkdtempSync(join(tmpdir(), 'pl-vnm-home-'));
  const before = { HOME: process.env.HOME, SSH_AUTH_SOCK: process.env.SSH_AUTH_SOCK };
  process.env.HOME = path;
  delete process.env.SSH_AUTH_SOCK;
  return {
    path,
    restore: () => {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
      rmSync(path, { recursive: true, force: true });
    },
  };
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aliasHint } from '../../src/transport/ssh-config.ts';

describe('aliasHint', () => {
  let directory: string;
  let path: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'pl-vnm-config-'));
    path = join(directory, 'config');
    writeFileSync(
      path,
      `# mine
Host lab labor
  HostName lab1.example.org
  User=me
  Port 2222
  IdentityFile ~/.ssh/lab
Host inner
  HostName 10.9.8.7
  ProxyJump lab
host bare
Match host other
  HostName never
Host *
  User everybody
`,
    );
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it('aliasHint says what the slice file needs instead', () => {
    const begin = `it looks like an alias in ${path}, which pl-vnm does not read yet: write`;
    const keys = '{ host: lab1.example.org, user: me, port: 2222, key: ~/.ssh/lab }';
    expect(aliasHint('lab', path)).toBe(`${begin} ${keys} in the slice file`);
    expect(aliasHint('labor', path)).toBe(`${begin} ${keys} in the slice file`);
    expect(aliasHint('inner', path)).toBe(
      `${begin} { host: 10.9.8.7 } in the slice file (it is reached through lab, which is not supported yet)`,
    );
    expect(aliasHint('bare', path)).toBe(`${begin} its host name in the slice file`);
  });

  it('aliasHint returns nothing for other hosts', () => {
    expect(aliasHint('other', path)).toBeUndefined();
    expect(aliasHint('lab', join(directory, 'none'))).toBeUndefined();
  });
});

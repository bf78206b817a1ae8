import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { loadPolicy, openPolicy, readPolicies } from '../../src/agent/policy-file.ts';
import { earlierOwnLimits, ownLimits, sharedLimits } from '../../src/model/limits.ts';
import { decodePolicy, encodePolicy, type Policy, policySchema } from '../../src/vsys/policy.ts';
import { describeAsRoot } from '../support/privileges.ts';

const written = {
  slice: 'three',
  vnet: '10.65.0.0/16',
  interfacePrefix: 'pv001-',
  namespacePrefix: 'pv-three-',
  table: 50_001,
  rulePriority: 10_001,
  nexthops: { first: 65_536, last: 131_071 },
  vnis: { first: 4096, last: 8191 },
};
const policy = policySchema.parse(written);

describeAsRoot('loadPolicy', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-policy-'));
  const path = join(directory, 'three.json');
  afterAll(() => rmSync(directory, { recursive: true }));

  function write(text: string): void {
    writeFileSync(path, text);
    chmodSync(path, 0o644);
    chownSync(path, 0, 0);
  }

  it('loadPolicy reads the policy, with defaults', async () => {
    write(JSON.stringify(written));
    expect(await loadPolicy(directory, 'three')).toEqual(policy);
  });

  const openToOthers = {
    code: 'forbidden',
    message: `users other than root can write the policy ${path}`,
    hint: `run \`chown root ${path}; chmod 644 ${path}\``,
  };
  it.each([
    ['belongs to another user', () => chownSync(path, 65_534, 0)],
    ['may be written by its group', () => chmodSync(path, 0o664)],
    ['may be written by all', () => chmodSync(path, 0o646)],
  ])('loadPolicy refuses a policy that %s', async (_name, open) => {
    write(JSON.stringify(written));
    open();
    await expect(loadPolicy(directory, 'three')).rejects.toMatchObject(openToOthers);
  });

  it('loadPolicy refuses a policy that is missing, belongs to another slice, or is invalid', async () => {
    await expect(loadPolicy(directory, 'four')).rejects.toMatchObject({
      code: 'not-found',
      message: `this node has no policy for slice 'four' (${directory}/four.json)`,
    });
    write(JSON.stringify({ ...written, slice: 'four' }));
    await expect(loadPolicy(directory, 'three')).rejects.toMatchObject({
      code: 'forbidden',
      message: `the policy ${path} is for slice 'four', not 'three'`,
    });
    write(JSON.stringify({ ...written, table: 254 }));
    await expect(loadPolicy(directory, 'three')).rejects.toMatchObject({
      code: 'invalid-input',
      message: `invalid policy ${path}: ✖ Too small: expected number to be >=1000\n  → at table`,
    });
    write(JSON.stringify({ ...written, vnet: '10.65.0.1/16' }));
    await expect(loadPolicy(directory, 'three')).rejects.toMatchObject({
      code: 'invalid-input',
      message: `invalid policy ${path}: '10.65.0.1/16' has host bits set`,
    });
  });
});

describeAsRoot('openPolicy', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-policy-'));
  const below = join(directory, 'policy');
  const path = join(below, 'three.json');
  beforeEach(() => rmSync(below, { recursive: true, force: true }));
  afterAll(() => rmSync(directory, { recursive: true }));

  const nothing = async () => false;
  const open = (options: Parameters<typeof openPolicy>[2], isInstalled = nothing) =>
    openPolicy(below, 'three', options, isInstalled);
  /** Writes the policy as an earlier version, or someone else, left it. */
  async function leave(there: Policy): Promise<void> {
    await (await openPolicy(below, 'three', { brought: there }, nothing)).settle(true);
  }

  it('openPolicy writes a brought policy with the first thing that is installed, and removes it with the last', async () => {
    const file = await open({ brought: policy });
    expect([file.policy, file.exists(), existsSync(below)]).toEqual([policy, false, false]);
    await file.settle(false);
    expect(existsSync(below)).toBe(false);
    await file.settle(true);
    expect(policySchema.parse(JSON.parse(readFileSync(path, 'utf8')))).toEqual(policy);
    expect([file.exists(), statSync(path).mode & 0o777]).toEqual([true, 0o644]);
    await file.settle(false);
    expect([file.exists(), await readPolicies(below)]).toEqual([false, []]);
  });

  it('openPolicy keeps what someone changed, and what an administrator installed', async () => {
    const own = { ...policy, limits: { ...policy.limits, tunnels: 3 } };
    await leave(own);
    const file = await open({ brought: policy });
    expect(file.policy).toEqual(own);
    await file.settle(false);
    expect(existsSync(path)).toBe(true);
    await leave(policy);
    const installed = await open({ brought: policy, isInstalledByAdministrator: true });
    await installed.settle(false);
    expect(existsSync(path)).toBe(true);
  });

  it('openPolicy raises limits that an earlier version wrote, but not those that someone chose', async () => {
    const brought = { ...policy, limits: ownLimits };
    for (const limits of earlierOwnLimits) {
      const earlier = { ...policy, limits };
      rmSync(below, { recursive: true, force: true });
      await leave(earlier);
      expect((await open({ brought, isInstalledByAdministrator: true })).policy).toEqual(earlier);
      const file = await open({ brought }, async () => true);
      expect([file.policy, file.exists()]).toEqual([brought, true]);
      await file.settle(true);
      expect(policySchema.parse(JSON.parse(readFileSync(path, 'utf8')))).toEqual(brought);
    }
    const chosen = { ...policy, limits: { ...sharedLimits, namespaces: 40 } };
    rmSync(below, { recursive: true });
    await leave(chosen);
    expect((await open({ brought }, async () => true)).policy).toEqual(chosen);
  });

  it('openPolicy removes a policy that an inspection by an earlier version left, unless something is installed or an administrator installed it', async () => {
    const brought = { ...policy, limits: ownLimits };
    for (const left of [brought, { ...policy, limits: sharedLimits }]) {
      await leave(left);
      expect((await open({ brought }, async () => true)).exists()).toBe(true);
      expect((await open({ brought, isInstalledByAdministrator: true })).exists()).toBe(true);
      const file = await open({ brought });
      expect([file.policy, file.exists(), existsSync(path)]).toEqual([brought, false, false]);
      await file.settle(true);
      expect(policySchema.parse(JSON.parse(readFileSync(path, 'utf8')))).toEqual(brought);
      await file.settle(false);
    }
  });

  it('openPolicy uses the brought policy where an inspection left another one, and nothing is installed', async () => {
    const changed = { ...policy, vnet: '10.99.0.0/16' };
    await leave(policy);
    expect((await open({ brought: changed }, async () => true)).policy).toEqual(policy);
    expect((await open({ brought: changed, isInstalledByAdministrator: true })).policy).toEqual(policy);
    const file = await open({ brought: changed });
    expect([file.policy, file.exists(), existsSync(path)]).toEqual([changed, false, false]);
    await file.settle(true);
    expect(policySchema.parse(JSON.parse(readFileSync(path, 'utf8')))).toEqual(changed);
  });
});

describe('a policy as a word', () => {
  it('a policy as a word decodes to the policy that was encoded, and other words are refused', () => {
    expect(encodePolicy(policy)).toMatch(/^[\w-]+$/);
    expect(decodePolicy(encodePolicy(policy))).toEqual(policy);
    const few = { ...policy, limits: { ...policy.limits, daemons: 3 } };
    expect(decodePolicy(encodePolicy(few))).toEqual(few);
    // Unknown to agents of earlier versions.
    expect(Buffer.from(encodePolicy(policy), 'base64url').toString()).not.toContain('daemons');
    expect(() => decodePolicy('x')).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { keptFeatures } from '../../src/agent/dataplane/kernel/kept-features.ts';
import { createKnownFeatures } from '../../src/agent/dataplane/kernel/known-features.ts';
import type { Feature } from '../../src/vsys/messages.ts';

const filter = (available: boolean): Feature => ({ name: 'tunnel-filter', available });
const compat = (available: boolean): Feature => ({ name: 'nexthop-compat-off', available });

it('the agent finds features that were installed or set since, and does not repeat successful trials', async () => {
  const node = { nft: false, compat: false, tries: 0 };
  const features = createKnownFeatures({
    tryOut: async () => {
      node.tries += 1;
      return [filter(node.nft)];
    },
    look: async () => [compat(node.compat)],
  });
  expect([await features.has('tunnel-filter'), await features.has('tunnel-filter'), node.tries]).toEqual([
    false,
    false,
    1,
  ]);
  expect(await features.read()).toEqual([filter(false), compat(false)]);
  Object.assign(node, { nft: true, compat: true });
  expect(await features.has('tunnel-filter')).toBe(false);
  expect(await Promise.all([features.read(), features.read()])).toEqual([
    [filter(true), compat(true)],
    [filter(true), compat(true)],
  ]);
  expect(await features.has('tunnel-filter')).toBe(true);
  expect(node.tries).toBe(3);
  await features.read();
  expect(node.tries).toBe(3);
});

it('the agent tries again after a failed trial', async () => {
  let isBroken = true;
  const features = createKnownFeatures({
    tryOut: async () => {
      if (isBroken) throw new Error('no memory');
      return [filter(true)];
    },
    look: async () => [],
  });
  await expect(features.has('tunnel-filter')).rejects.toThrow('no memory');
  await expect(features.read()).rejects.toThrow('no memory');
  isBroken = false;
  expect(await features.read()).toEqual([filter(true)]);
});

it('a file keeps features for agents under the same conditions', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-features-'));
  try {
    const path = join(directory, 'features.json');
    const [one, other] = ['kernel 1', 'kernel 2'].map((conditions) => keptFeatures(path, () => conditions));
    expect(one!.read()).toBeUndefined();
    one!.write([filter(true)]);
    expect(one!.read()).toEqual([filter(true)]);
    expect(other!.read()).toBeUndefined();
    other!.write([]);
    expect(one!.read()).toBeUndefined();
    writeFileSync(path, '{"conditions":');
    expect(other!.read()).toBeUndefined();
    expect(readdirSync(directory)).toEqual(['features.json']);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

it('features are not kept where their file cannot be written', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-features-'));
  try {
    const path = join(directory, 'features.json');
    mkdirSync(path);
    for (const place of [path, join(directory, 'none', 'features.json')]) {
      const kept = keptFeatures(place, () => 'kernel 1');
      kept.write([filter(true)]);
      expect(kept.read()).toBeUndefined();
    }
    expect(readdirSync(directory)).toEqual(['features.json']);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

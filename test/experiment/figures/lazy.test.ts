import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const entry = fileURLToPath(new URL('../../../src/experiment/figures/index.ts', import.meta.url));

/** The packages that a file and the files that it imports at once need. */
function packagesOf(file: string, seen = new Set<string>()): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  const imports = [...readFileSync(file, 'utf8').matchAll(/^(?:import|export)\b[^;]*?from '([^']+)';/gms)];
  return imports
    .filter(([statement]) => !/^(import|export) type\b/.test(statement))
    .flatMap(([, path]) => (path!.startsWith('.') ? packagesOf(resolve(dirname(file), path!), seen) : [path!]));
}

test('commands that draw nothing do not load what draws', () => {
  expect([...new Set(packagesOf(entry))].filter((name) => !name.startsWith('node:'))).toEqual(['zod']);
  expect(packagesOf(resolve(dirname(entry), 'svg.ts'))).toEqual(
    expect.arrayContaining(['vega', 'vega-lite', 'opentype.js']),
  );
});

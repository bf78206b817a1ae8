import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { experimentJsonSchema } from '../../src/experiment/file/schema.ts';
import { changed, goodExperiment } from './support/files.ts';

const schema = z.fromJSONSchema(experimentJsonSchema() as Parameters<typeof z.fromJSONSchema>[0]);

it('docs/experiment-file.schema.json is the current JSON Schema', () => {
  // `pl-vnm schema experiment > docs/experiment-file.schema.json` regenerates it.
  const named = new URL('../../docs/experiment-file.schema.json', import.meta.url);
  expect(JSON.parse(readFileSync(named, 'utf8'))).toEqual(experimentJsonSchema());
});

it.each([
  ['an unknown key', changed('fixed:', 'fix:')],
  ['an unknown parameter', changed('urpf:', 'rpf:')],
  ['an unknown value', changed('[remote, gateway]', '[remote, gatway]')],
  ['a range without a step', changed('[0, 200]', '{ from: 0, to: 200 }')],
  ['a stop rule without percent', changed('fixed:', 'stop: { value: lost_packets, narrowerThan: 5 }\nfixed:')],
])('the JSON Schema refuses %s', (_, text) => {
  expect(schema.safeParse(parse(goodExperiment)).success).toBe(true);
  expect(schema.safeParse(parse(text)).success).toBe(false);
});

it('the JSON Schema describes every key of an experiment', () => {
  const undescribed: string[] = [];
  const visit = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null || path.startsWith('/properties/figures/')) return;
    for (const [key, child] of Object.entries(node)) {
      if (path.endsWith('/properties') && !('description' in child)) undescribed.push(`${path}/${key}`);
      visit(child, `${path}/${key}`);
    }
  };
  visit(experimentJsonSchema(), '');
  expect(undescribed).toEqual([]);
});

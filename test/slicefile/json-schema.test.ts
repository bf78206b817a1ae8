import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { sliceJsonSchema } from '../../src/slicefile/index.ts';
import { changed, goodFile } from './support/faults.ts';

const { oneOf, ...shape } = sliceJsonSchema() as Record<string, unknown>;
/** A validator from the JSON Schema, without the two forms of a file, which zod cannot read. */
const schema = z.fromJSONSchema(shape);

describe('sliceJsonSchema', () => {
  const directory = new URL('../../slices/', import.meta.url);
  const files = readdirSync(directory).filter((file) => file.endsWith('.yaml'));

  it.each(files)('the JSON Schema accepts %s', (file) => {
    const result = schema.safeParse(parse(readFileSync(new URL(file, directory), 'utf8')));
    expect(result.error).toBeUndefined();
  });

  it('the files of the gallery refer editors to the current JSON Schema', () => {
    const line = '# yaml-language-server: $schema=../docs/slice-file.schema.json';
    for (const file of files) {
      expect(readFileSync(new URL(file, directory), 'utf8').split('\n')[0], file).toBe(line);
    }
    const named = new URL('../docs/slice-file.schema.json', directory);
    // `pl-vnm schema > docs/slice-file.schema.json` regenerates it.
    expect(JSON.parse(readFileSync(named, 'utf8'))).toEqual(sliceJsonSchema());
  });

  it.each([
    ['an unknown key', changed('vnet:', 'foo: 1\nvnet:')],
    ['a missing key', changed('  routers: [alpha, beta]\n', '')],
    ['an invalid router name', changed('[alpha, beta]\n', '[Alpha, beta]\n')],
    ['an unknown router kind', changed('[alpha, beta]\n', '[alpha, { name: beta, kind: ffr }]\n')],
    ['an invalid node name', changed('n1: {}', 'N1: {}')],
    ['a rate without unit', changed('1.5Mbps', '15')],
    ['a rate with a wrong unit', changed('1.5Mbps', '1.5MB/s')],
    ['an invalid NTP server', changed('vnet:', 'ntp: [2001:db8::1]\nvnet:')],
    ['repair with an unknown value', changed('vnet:', 'repair: sometimes\nvnet:')],
    ['an invalid port', changed('n1: {}', 'n1: { host: x, port: 0 }')],
    ['a link with one end', changed('- [alpha, beta]', '- [alpha]')],
    ['a negative latency', changed('60]', '-1]')],
    ['two gateways for one end host', changed('gateway: west', 'gateway: [west, east]')],
  ])('the JSON Schema refuses %s', (_, text) => {
    expect(schema.safeParse(parse(goodFile)).success).toBe(true);
    expect(schema.safeParse(parse(text)).success).toBe(false);
  });

  it('the JSON Schema requires vn and placements, or vns', () => {
    expect(oneOf).toEqual([
      { type: 'object', required: ['vn', 'placements'], properties: { vns: false } },
      { type: 'object', required: ['vns'], properties: { vn: false, placements: false } },
    ]);
  });

  it('the JSON Schema describes every key', () => {
    const undescribed: string[] = [];
    const visit = (node: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null) return;
      for (const [key, child] of Object.entries(node)) {
        if (path.endsWith('/properties') && !('description' in child)) undescribed.push(`${path}/${key}`);
        visit(child, `${path}/${key}`);
      }
    };
    visit(shape, '');
    expect(undescribed).toEqual([]);
  });

  it('sliceJsonSchema returns a new copy each time', () => {
    (sliceJsonSchema() as Record<string, unknown>).title = 'changed';
    expect(sliceJsonSchema()).toMatchObject({ title: 'PL-VNM slice file' });
  });
});

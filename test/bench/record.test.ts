import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { begins, benchmarksPage, describeMachine, ends, recordResults, withResults } from './record.ts';

const page = `# Benchmarks\n\n${begins('fib')}\nold\n${ends('fib')}\n\nby hand\n`;

it('replaces the results of one benchmark, and nothing else', () => {
  const once = withResults(page, 'fib', 'new')!;
  expect(once).toBe(`# Benchmarks\n\n${begins('fib')}\n\nnew\n\n${ends('fib')}\n\nby hand\n`);
  expect(withResults(once, 'fib', 'new')).toBe(once);
});

it('leaves a page as it is that has no place for them', () => {
  expect(withResults(page, 'flip', 'new')).toBeUndefined();
});

it('writes the command, the machine and the table', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-record-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'benchmarks.md');
  writeFileSync(path, page);
  const machine = describeMachine(new Date('2026-12-01T10:00:00Z'));
  expect(recordResults('fib', machine, 'a  b\n-  -', path)).toBe(true);
  expect(recordResults('flip', machine, 'c', path)).toBe(false);
  const written = readFileSync(path, 'utf8');
  expect(written).toContain('On 2026-12-01: ');
  expect(written).toContain(`Node.js ${process.version}`);
  expect(written).toContain('`npm run bench -- fib`\n\n```text\na  b\n-  -\n```\n');
  expect(Math.max(...written.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
});

it('each place in docs/benchmarks.md begins and ends once, and belongs to a benchmark', () => {
  const text = readFileSync(benchmarksPage, 'utf8');
  const known = [...readFileSync(new URL('main.ts', import.meta.url), 'utf8').matchAll(/^ {2}'?([a-z-]+)'?: \{/gm)];
  const names = [...text.matchAll(/^<!-- ([a-z-]+): written/gm)].map(([, name]) => name!);
  expect(names).not.toEqual([]);
  for (const name of names) {
    expect(known.map(([, key]) => key)).toContain(name);
    expect(text.split(begins(name))).toHaveLength(2);
    expect(withResults(text, name, 'new')).toBeDefined();
  }
});

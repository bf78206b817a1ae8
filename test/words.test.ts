import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Words that the field does not use, for: repair, no one, again, must, reports, next to, past, unreachable. */
const words =
  /\b(mend(s|ed|ing)?|nobody|anew|shall|is told|are told|beside|(is|are) over(?! UDP)|(is|are|was|were) away)\b/i;

/** The width of the code, and of its comments. */
const width = 120;

/** The name of an account. */
const kept = /-u nobody\b/g;

/** This file, and files written by other versions. */
const left = /^test\/(words\.test\.ts$|carried-over\/|store\/schema-.*\.sql$)/;
const single = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'schema.sql', 'package.json', '.ci/run', 'Dockerfile'];

function filesIn(folder: string): string[] {
  return readdirSync(`${root}${folder}`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => `${parentPath}/${name}`.slice(root.length))
    .filter((file) => !left.test(file));
}

/** Drops, in Markdown, the text between backticks. */
function withoutQuotations(file: string, line: string): string {
  const text = line.replace(kept, '');
  return file.endsWith('.md') ? text.replace(/`[^`]*`/g, '') : text;
}

/** Returns the findings as `file:line: text`. */
function findings(file: string): string[] {
  const lines = readFileSync(`${root}${file}`, 'utf8').split('\n');
  return lines.flatMap((line, index) =>
    words.test(withoutQuotations(file, line)) ? [`${file}:${index + 1}: ${line.trim()}`] : [],
  );
}

/** Returns the comments that are wider than the code. */
function wideComments(file: string): string[] {
  const lines = readFileSync(`${root}${file}`, 'utf8').split('\n');
  const isWide = (line: string) => line.length > width && /^\s*(\/\/|\/?\*)/.test(line);
  return lines.flatMap((line, index) => (isWide(line) ? [`${file}:${index + 1}`] : []));
}

test('comments wrap at the width of the code', () => {
  const files = ['src', 'test', 'packaging'].flatMap(filesIn).filter((file) => file.endsWith('.ts'));
  expect(files).toContain('src/controller/reconcile.ts');
  expect(files.flatMap(wideComments)).toEqual([]);
});

test('all texts use the words of the field', () => {
  const files = [...['src', 'test', 'packaging', 'docs', 'slices', 'experiments'].flatMap(filesIn), ...single];
  expect(files).toContain('src/controller/reconcile.ts');
  expect(files.flatMap(findings)).toEqual([]);
});

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const inDocs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.md'))
  .map((file) => join('docs', file));
const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...inDocs];

const textOf = (file: string) => readFileSync(join(root, file), 'utf8');

/** Drops the code blocks of a page, in which `[a](b)` is not a link and `# a` not a heading. */
function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, '').replace(/^ {4}.*$/gm, '');
}

/**
 * Returns the anchors of a page, as GitHub derives them from headings; the second of the same text gets `-1`, and so
 * on.
 */
function anchorsOf(text: string): Set<string> {
  const seen = new Map<string, number>();
  const anchors = [...withoutCode(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => {
    const words = heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const anchor = words.replace(/[^\p{L}\p{N}_ -]/gu, '').replaceAll(' ', '-');
    const times = seen.get(anchor) ?? 0;
    seen.set(anchor, times + 1);
    return times === 0 ? anchor : `${anchor}-${times}`;
  });
  return new Set(anchors);
}

/** Returns the relative links of a page that lead to no file or no heading. */
function brokenLinks(file: string, text: string): string[] {
  const prose = withoutCode(text).replace(/`[^`\n]*`/g, '');
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [path = '', anchor] = target.split('#');
    const linked = resolve(root, dirname(file), path);
    if (!existsSync(linked)) return true;
    return anchor !== undefined && !anchorsOf(path === '' ? text : readFileSync(linked, 'utf8')).has(anchor);
  });
}

/** Whether a page begins with a heading and a paragraph: no list, table, code, quotation or further heading. */
function beginsWithParagraph(text: string): boolean {
  return /^# .+\n\n(?! {4}|[#|>]|[-*+] |\d+\. |```)\S/.test(text);
}

test.each([
  ['a file that does not exist', '[a](missing.md)'],
  ['an image that does not exist', '![a](missing.svg)'],
  ['a heading that another page does not have', '[a](../README.md#no-such-heading)'],
  ['a heading that the page itself does not have', '# Here\n\n[a](#there)'],
  ['text that looks like a heading in a code block', '    # There\n\n[a](#there)'],
  ['the second of two equal headings where there is only one', '# Here\n\n[a](#here-1)'],
])('brokenLinks reports a link to %s', (_, text) => {
  expect(brokenLinks('docs/page.md', text)).toHaveLength(1);
});

test('brokenLinks accepts links to files, folders, headings and other sites', () => {
  const links = '[a](#what-a-is-and-why) [b](../src) [c](../README.md#limits) [d](https://x.example)';
  expect(brokenLinks('docs/page.md', `# What \`a\` is, and why\n\n${links}`)).toEqual([]);
});

test.each(['A', '# A\n\n| a |', '# A\n\n- a', '# A\n\n## B', '# A\n\n    a', '# A\n\n```\na'])(
  'beginsWithParagraph refuses a page that begins with %j',
  (text) => {
    expect(beginsWithParagraph(text)).toBe(false);
  },
);

test.each(pages)('%s links only to files and headings that exist', (file) => {
  expect(brokenLinks(file, textOf(file))).toEqual([]);
});

test.each(pages)('%s has no placeholder, and names only benchmarks that exist', (file) => {
  expect(textOf(file)).not.toMatch(/@@[A-Z]+@@/);
  const known = [...textOf('test/bench/main.ts').matchAll(/^ {2}'?([a-z-]+)'?: \{/gm)].map(([, name]) => name);
  expect(known).toContain('living-bird');
  const named = [...textOf(file).matchAll(/npm run bench -- ((?:[a-z-]+ ?)+)/g)].flatMap(([, names]) =>
    names!.trim().split(' '),
  );
  expect(named.filter((name) => !known.includes(name))).toEqual([]);
});

test.each(inDocs.filter((file) => dirname(file) === 'docs'))('%s begins with a heading and a paragraph', (file) => {
  expect(textOf(file).slice(0, 200)).toSatisfy(beginsWithParagraph);
});

test('README.md has at most 2,000 words', () => {
  expect(textOf('README.md').trim().split(/\s+/).length).toBeLessThanOrEqual(2000);
});

/** What a benchmark printed, in docs/benchmarks.md: with the date, the machine and the versions. */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { describeProgram, programVersion } from '../../src/experiment/results/program.ts';

export const benchmarksPage = new URL('../../docs/benchmarks.md', import.meta.url);

/** Where the page has the results of a benchmark, on lines of their own that pages do not show. */
export const begins = (name: string) => `<!-- ${name}: written by npm run bench -->`;
export const ends = (name: string) => `<!-- ${name}: end -->`;

/** In words: the date, the processors, the load before the benchmark, and the versions. */
export function describeMachine(now = new Date()): string {
  const processors = `${cpus().length} processors (${cpus()[0]?.model.trim() ?? 'unknown'})`;
  const load = `a load average of ${loadavg()[0]!.toFixed(1)} before it`;
  const versions = `Linux ${release()}, Node.js ${process.version}, PL-VNM ${describeProgram(programVersion())}`;
  return `On ${now.toISOString().slice(0, 10)}: ${processors}, ${load}; ${versions}.`;
}

/** Returns the page with new results; undefined if it has no place for them. */
export function withResults(page: string, name: string, results: string): string | undefined {
  const [begin, end] = [page.indexOf(begins(name)), page.indexOf(ends(name))];
  if (begin < 0 || end < begin) return undefined;
  return `${page.slice(0, begin)}${begins(name)}\n\n${results}\n\n${page.slice(end)}`;
}

/** Writes results into the page. Returns whether it has a place for them. */
export function recordResults(
  name: string,
  machine: string,
  text: string,
  path: string | URL = benchmarksPage,
): boolean {
  const results = `${wrap(machine)}\n\n\`npm run bench -- ${name}\`\n\n\`\`\`text\n${text}\n\`\`\``;
  const page = withResults(readFileSync(path, 'utf8'), name, results);
  if (page !== undefined) writeFileSync(path, page);
  return page !== undefined;
}

/** Lines of at most 120 columns. */
function wrap(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= 120) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.join('\n');
}

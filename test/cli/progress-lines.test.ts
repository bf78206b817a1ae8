import { describe, expect, it } from 'vitest';
import { progressLines } from '../../src/cli/progress-lines.ts';

/** What is written, and what a terminal then shows, line by line. */
function screen({ isTTY = true, columns = 80 }: { isTTY?: boolean; columns?: number } = {}, isDumb = false) {
  let written = '';
  const lines = progressLines({ isTTY, columns, write: (text) => (written += text) }, isDumb);
  const shown = () => written.split('\n').map((line) => line.split('\r\u001b[K').at(-1)!);
  return { ...lines, written: () => written, shown };
}

const verify = { kind: 'phase', text: 'verify', done: { parts: 8, of: 12 } } as const;

describe('progress on a terminal', () => {
  it('a bar is below the latest line and shows the share that is done', () => {
    const { report, shown } = screen();
    report({ kind: 'phase', text: 'redirect', done: { parts: 3, of: 12 } });
    report({ kind: 'note', text: 'T is in 2 s' });
    report(verify);
    expect(shown()).toEqual(['- redirect', '  T is in 2 s', '- verify', '  [################--------] 8/12']);
  });

  it('the time left is shown where it is known', () => {
    const { report, shown } = screen();
    report({ kind: 'phase', text: 'run 1/4', done: { parts: 1, of: 4, leftMs: 90_000 } });
    expect(shown().at(-1)).toMatch(/^ {2}\[#{6}-{18}\] 1\/4, about .+ left$/);
  });

  it('there is no bar before anything is done, when a login may ask something, and when all is done', () => {
    const { report, shown } = screen();
    report({ kind: 'phase', text: 'add nodes', done: { parts: 0, of: 12 } });
    expect(shown()).toEqual(['- add nodes', '']);
    report({ kind: 'phase', text: 'run 4/4', done: { parts: 4, of: 4, leftMs: 0 } });
    expect(shown()).toEqual(['- add nodes', '- run 4/4', '']);
  });

  it('a phase of unknown length removes the bar, and so does the end', () => {
    const { report, end, shown } = screen();
    report(verify);
    report({ kind: 'phase', text: 'roll back' });
    expect(shown()).toEqual(['- verify', '- roll back', '']);
    report(verify);
    end();
    end();
    expect(shown()).toEqual(['- verify', '- roll back', '- verify', '']);
  });

  it('other lines stand above the bar', () => {
    const { report, print, shown } = screen();
    report(verify);
    print('    gw1 <- clock {}');
    expect(shown()).toEqual(['- verify', '    gw1 <- clock {}', '  [################--------] 8/12']);
  });

  it('the bar never fills a line, since it could not be removed then', () => {
    const { report, shown } = screen({ columns: 20 });
    report(verify);
    expect(shown().at(-1)).toHaveLength(19);
  });

  it('a terminal that does not know its size has a bar', () => {
    const { report, shown } = screen({ columns: 0 });
    report(verify);
    expect(shown().at(-1)).toBe('  [################--------] 8/12');
  });
});

it.each([
  ['a pipe', { isTTY: false }, false],
  ['a terminal that cannot move its cursor', {}, true],
])('%s gets plain lines', (_, options, isDumb) => {
  const { report, print, end, written } = screen(options, isDumb);
  report(verify);
  report({ kind: 'note', text: 'all pairs reach each other' });
  print('    gw1 <- clock {}');
  end();
  expect(written()).toBe('- verify\n  all pairs reach each other\n    gw1 <- clock {}\n');
});

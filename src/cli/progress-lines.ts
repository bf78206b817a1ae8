/**
 * Progress: plain lines, and on a terminal a bar below them for commands that know how much is done. The bar changes
 * only when a line is printed, and is gone before anything else is.
 */
import type { Progress } from '../controller/base/context.ts';
import { durationWords } from '../experiment/run/duration-words.ts';

/** What is needed of stderr. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressLines {
  report(progress: Progress): void;
  /** Prints a line that is no progress. */
  print(line: string): void;
  /** Removes the bar. */
  end(): void;
}

const clearLine = '\r\u001b[K';
const barWidth = 24;

/** `isDumb`: the terminal cannot move its cursor. */
export function progressLines(out: Terminal, isDumb = process.env.TERM === 'dumb'): ProgressLines {
  const hasBar = out.isTTY === true && !isDumb;
  let bar = '';
  const show = (line: string, next: string) => {
    out.write(`${bar === '' ? '' : clearLine}${line}${next}`);
    bar = next;
  };
  return {
    report: ({ kind, text, done }) => {
      const line = kind === 'phase' ? `- ${text}\n` : `  ${text}\n`;
      // Whatever else begins has no known length.
      const next = done !== undefined ? barOf(done, out.columns) : kind === 'phase' ? '' : bar;
      show(line, hasBar ? next : '');
    },
    print: (line) => show(`${line}\n`, bar),
    end: () => {
      if (bar !== '') show('', '');
    },
  };
}

/**
 * The bar, shorter than a line, since a longer one could not be removed. Before anything is done there is none: logins
 * may ask the user something then.
 */
function barOf({ parts, of, leftMs }: NonNullable<Progress['done']>, columns: number | undefined): string {
  if (parts <= 0 || parts >= of) return '';
  const filled = Math.floor((barWidth * parts) / of);
  const left = leftMs === undefined ? '' : `, about ${durationWords(leftMs)} left`;
  const text = `  [${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}] ${parts}/${of}${left}`;
  // A terminal without a known size says 0.
  return text.slice(0, (columns || 80) - 1);
}

/** Colours for people at a terminal. */
import { styleText } from 'node:util';

const formats = { good: 'green', doubtful: 'yellow', bad: 'red' } as const;
export type Tone = keyof typeof formats;

let isOn = false;

/** Whether the texts from now on may have colours; a command with `--json` has none. */
export function useColours(on: boolean): void {
  isOn = on;
}

/**
 * Colours a text for a stream that is a terminal. As in other programs NO_COLOR in the environment switches colours
 * off, and FORCE_COLOR switches them on for any stream.
 */
export function toned(tone: Tone, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return isOn ? styleText(formats[tone], text, { stream }) : text;
}

const tones = new Map<string, Tone>([
  ...['ok', 'yes', 'completed'].map((word) => [word, 'good'] as const),
  ...['rolled-back', 'interrupted', 'skipped', 'too narrow'].map((word) => [word, 'doubtful'] as const),
  ...['broken', 'no', 'failed'].map((word) => [word, 'bad'] as const),
]);

/** Colours an outcome, which details in brackets may follow. */
export function outcome(text: string): string {
  const tone = tones.get(text.replace(/ \(.*$/s, ''));
  return tone === undefined ? text : toned(tone, text);
}

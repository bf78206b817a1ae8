import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { errorText, table } from '../../src/cli/output.ts';
import { outcome, toned, useColours } from '../../src/cli/style.ts';
import { VnmError } from '../../src/model/errors.ts';

const green = (text: string) => `\u001b[32m${text}\u001b[39m`;
const red = (text: string) => `\u001b[31m${text}\u001b[39m`;
const yellow = (text: string) => `\u001b[33m${text}\u001b[39m`;

/** A stream that says whether it is a terminal. */
function stream(isTTY: boolean): NodeJS.WriteStream {
  return Object.assign(Object.create(process.stdout), {
    isTTY,
    getColorDepth: () => (process.env.NO_COLOR ? 1 : 8),
  }) as NodeJS.WriteStream;
}

beforeEach(() => {
  for (const name of ['NO_COLOR', 'FORCE_COLOR', 'NODE_DISABLE_COLORS']) vi.stubEnv(name, undefined);
  vi.stubEnv('TERM', 'xterm-256color');
  useColours(true);
});
afterEach(() => {
  useColours(false);
  vi.unstubAllEnvs();
});

describe('colours', () => {
  it('only terminals get them', () => {
    expect(toned('good', 'ok', stream(true))).toBe(green('ok'));
    expect(toned('good', 'ok', stream(false))).toBe('ok');
  });

  it('NO_COLOR switches them off, unless it is empty', () => {
    vi.stubEnv('NO_COLOR', '1');
    expect(toned('bad', 'broken', stream(true))).toBe('broken');
    vi.stubEnv('NO_COLOR', '');
    expect(toned('bad', 'broken', stream(true))).toBe(red('broken'));
  });

  it('FORCE_COLOR switches them on for what is no terminal', () => {
    vi.stubEnv('FORCE_COLOR', '1');
    expect(toned('doubtful', 'hint:', stream(false))).toBe(yellow('hint:'));
    vi.stubEnv('FORCE_COLOR', '0');
    expect(toned('doubtful', 'hint:', stream(true))).toBe('hint:');
  });

  it('a command with --json has none', () => {
    vi.stubEnv('FORCE_COLOR', '1');
    useColours(false);
    expect(outcome('failed')).toBe('failed');
    expect(errorText(new VnmError('failed', 'no', { hint: 'try' }))).toBe('pl-vnm: no\n  hint: try');
  });

  it('outcomes have the colour of their first words, and other texts none', () => {
    vi.stubEnv('FORCE_COLOR', '1');
    expect(outcome('completed')).toBe(green('completed'));
    expect(outcome('failed (verify)')).toBe(red('failed (verify)'));
    expect(outcome('too narrow')).toBe(yellow('too narrow'));
    for (const text of ['running', '', 'okay', 'not ok']) expect(outcome(text)).toBe(text);
  });

  it('columns of a table are as wide with colours as without', () => {
    const rows = (ok: string, broken: string) => [
      ['e1', ok, 3],
      ['e2', broken, 12],
    ];
    const heading = ['to', 'result', 'probes'];
    const plain = table(heading, rows('ok', 'broken'));
    vi.stubEnv('FORCE_COLOR', '1');
    const coloured = table(heading, rows(outcome('ok'), outcome('broken')));
    expect(coloured).toContain(`${green('ok')}      `);
    expect(stripVTControlCharacters(coloured)).toBe(plain);
  });

  it('errors have a red name and a yellow hint', () => {
    vi.stubEnv('FORCE_COLOR', '1');
    const text = errorText(new VnmError('failed', 'it broke', { hint: 'repair it' }));
    expect(text).toBe(`${red('pl-vnm:')} it broke\n  ${yellow('hint:')} repair it`);
  });
});

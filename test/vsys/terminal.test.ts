import { describe, expect, it } from 'vitest';
import { readTerminalLine, resizeWords, terminalSchema, terminalWords } from '../../src/vsys/terminal.ts';

const terminal = { rows: 40, columns: 100, type: 'xterm-256color' };

describe('a terminal', () => {
  it.each(['', '-x', '$(id)', 'a b', "a'b", 'x;id', `x\n`, 'x'.repeat(65)])('is not of the type %j', (type) => {
    expect(terminalSchema.safeParse({ ...terminal, type }).success).toBe(false);
  });

  it.each([0, -1, 1.5, 10_000, Number.NaN])('has not %s rows', (rows) => {
    expect(terminalSchema.safeParse({ ...terminal, rows }).success).toBe(false);
  });

  it('its command is one word for script, whatever it has', () => {
    const words = terminalWords(terminal, ['printf', '%s', "it's", '$(id)', 'a;b']);
    expect(words).toHaveLength(5);
    expect(words[4]).toMatch(/exec 'printf' '%s' 'it'\\''s' '\$\(id\)' 'a;b'$/);
    expect(words[4]).toContain('stty sane rows 40 cols 100; ');
  });

  it('its line is found, and no other line is taken for it', () => {
    expect(readTerminalLine('pl-vnm-terminal /dev/pts/12')).toBe('/dev/pts/12');
    expect(readTerminalLine('pl-vnm-terminal none')).toBeNull();
    for (const line of [
      '',
      '/dev/pts/1',
      'pl-vnm-terminal /dev/sda',
      'pl-vnm-terminal /dev/pts/1; id',
      'x pl-vnm-terminal none',
    ]) {
      expect(readTerminalLine(line)).toBeUndefined();
    }
  });

  it('its size is changed by its device', () => {
    expect(resizeWords('/dev/pts/3', { rows: 5, columns: 6 })).toEqual('stty -F /dev/pts/3 rows 5 cols 6'.split(' '));
  });
});

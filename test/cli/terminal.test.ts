import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { isTerminal, ownTerminal } from '../../src/cli/terminal.ts';

function played({ stdin = true, stdout = true, rows = 50, columns = 120 } = {}) {
  const modes: boolean[] = [];
  const output = Object.assign(new EventEmitter(), { isTTY: stdout, rows, columns });
  const input = { isTTY: stdin, destroyed: false, setRawMode: (isRaw: boolean) => void modes.push(isRaw) };
  return { streams: { stdin: input, stdout: output } as unknown as NodeJS.Process, modes, output };
}

describe("the user's terminal", () => {
  it('is one only if input and output are', () => {
    expect(isTerminal(played().streams)).toBe(true);
    for (const [given, name] of [
      [{ stdin: false }, 'stdin'],
      [{ stdout: false }, 'stdout'],
    ] as const) {
      const { streams } = played(given);
      expect(isTerminal(streams)).toBe(false);
      expect(() => ownTerminal('leave out --tty', streams)).toThrow(
        expect.objectContaining({ code: 'usage', message: `${name} is not a terminal`, hint: 'leave out --tty' }),
      );
    }
  });

  it('says its type and size, or usual ones', () => {
    const own = ownTerminal('', played().streams, 'xterm');
    expect([own.type, own.size()]).toEqual(['xterm', { rows: 50, columns: 120 }]);
    const odd = ownTerminal('', played({ rows: 0, columns: Number.NaN }).streams, '$(id)');
    expect([odd.type, odd.size()]).toEqual(['dumb', { rows: 24, columns: 80 }]);
  });

  it('is raw until it is restored, and no listener stays', () => {
    const { streams, modes, output } = played();
    const own = ownTerminal('', streams);
    const before = process.listenerCount('exit');
    const restore = own.makeRaw();
    expect([modes, process.listenerCount('exit')]).toEqual([[true], before + 1]);
    restore();
    expect([modes, process.listenerCount('exit')]).toEqual([[true, false], before]);
    const stop = own.onResize(() => {});
    expect(output.listenerCount('resize')).toBe(1);
    stop();
    expect(output.listenerCount('resize')).toBe(0);
  });

  it('is restored when the program ends by an error of its own', () => {
    const { streams, modes } = played();
    const before = process.listeners('exit');
    ownTerminal('', streams).makeRaw();
    const [added] = process.listeners('exit').filter((listener) => !before.includes(listener));
    added!(1);
    expect(modes).toEqual([true, false]);
  });
});

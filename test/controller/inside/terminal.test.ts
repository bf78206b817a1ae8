import { Readable, Writable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import type { Commands, ExecStreams } from '../../../src/controller/inside/commands.ts';
import { type OwnTerminal, runInTerminal } from '../../../src/controller/inside/terminal.ts';
import type { CommandEnd } from '../../../src/vsys/messages.ts';
import type { Terminal } from '../../../src/vsys/terminal.ts';

/** A terminal of the user, and a command on a node whose outputs the test writes. */
function played({ isOptional = false } = {}) {
  const log: string[] = [];
  let size = { rows: 24, columns: 80 };
  const listeners = new Set<() => void>();
  const own: OwnTerminal = {
    type: 'xterm',
    size: () => size,
    onResize: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    makeRaw: () => {
      log.push('raw');
      return () => void log.push('restored');
    },
  };
  let streams: ExecStreams | undefined;
  let asked: Terminal | undefined;
  const { promise: end, resolve, reject } = Promise.withResolvers<CommandEnd>();
  const commands: Commands = {
    run: async (_command, given, terminal) => {
      if (terminal === undefined) {
        log.push('without a terminal');
        return { code: 5 };
      }
      [streams, asked] = [given, terminal];
      return end;
    },
    runBeside: async (command) => void log.push(command.join(' ')),
  };
  let printed = '';
  const stderr = new Writable({
    write(chunk, _encoding, done) {
      printed += chunk;
      done();
    },
  });
  const running = runInTerminal(
    commands,
    ['sh'],
    { stdin: Readable.from([]), stdout: stderr, stderr },
    own,
    isOptional,
  );
  running.catch(() => {});
  return {
    log,
    running,
    say: (text: string) => new Promise((done) => streams!.stderr.write(Buffer.from(text), done)),
    end: resolve,
    fail: reject,
    printed: () => printed,
    asked: () => asked,
    listening: () => listeners.size,
    resize: (rows: number) => {
      size = { rows, columns: 80 };
      for (const listener of listeners) listener();
    },
  };
}

const there = 'pl-vnm-terminal /dev/pts/7\n';

describe('a command in a terminal', () => {
  it("the user's terminal is raw from when the one on the node is there until the end", async () => {
    const { log, running, say, end, asked, printed } = played();
    expect(asked()).toEqual({ rows: 24, columns: 80, type: 'xterm' });
    await say('a warning of the login\npl-vnm-term');
    expect(log).toEqual([]);
    await say('inal /dev/pts/7\nlater');
    expect(log).toEqual(['raw']);
    end({ code: 3 });
    expect(await running).toEqual({ code: 3 });
    expect(log).toEqual(['raw', 'restored']);
    expect(printed()).toBe('a warning of the login\nlater');
  });

  it('it is restored when the command fails', async () => {
    const { log, running, say, fail, listening } = played();
    await say(there);
    fail(new Error('gone'));
    await expect(running).rejects.toThrow('gone');
    expect(log).toEqual(['raw', 'restored']);
    expect(listening()).toBe(0);
  });

  it('changes of its size follow, also one before the terminal was there', async () => {
    const { log, running, say, end, resize } = played();
    resize(30);
    await say(there);
    await vi.waitFor(() => expect(log).toContain('stty -F /dev/pts/7 rows 30 cols 80'));
    resize(31);
    await vi.waitFor(() => expect(log).toContain('stty -F /dev/pts/7 rows 31 cols 80'));
    end({ code: 0 });
    await running;
    expect(log.filter((line) => line.startsWith('stty'))).toHaveLength(2);
  });

  it('a node that cannot make one is an error, and the own terminal stays as it is', async () => {
    const { log, running, say, end } = played();
    await say('pl-vnm-terminal none\n');
    end({ code: 127 });
    await expect(running).rejects.toMatchObject({
      code: 'unsupported',
      message: "the node has no 'script', which makes terminals",
    });
    expect(log).toEqual([]);
  });

  it('a command that need not have one runs without it there', async () => {
    const { log, running, say, end } = played({ isOptional: true });
    await say('pl-vnm-terminal none\n');
    end({ code: 127 });
    expect(await running).toEqual({ code: 5 });
    expect(log).toEqual(['without a terminal']);
  });

  it('what comes without the line is passed on', async () => {
    const { running, say, end, printed } = played();
    await say('setpriv: no such program');
    end({ code: 127 });
    expect(await running).toEqual({ code: 127 });
    await vi.waitFor(() => expect(printed()).toBe('setpriv: no such program'));
  });
});

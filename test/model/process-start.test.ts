import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { processStart } from '../../src/model/process-start.ts';

const noProc = '/nonexistent';
const pidOfNone = 2 ** 22 + 1;

describe('the start of a process, on a system without /proc', () => {
  let bin: string;
  const { PATH } = process.env;
  beforeEach(() => {
    bin = mkdtempSync(join(tmpdir(), 'pl-vnm-ps-'));
    process.env.PATH = bin;
  });
  afterEach(() => {
    process.env.PATH = PATH;
    rmSync(bin, { recursive: true });
  });

  /** Takes the place of `ps`. */
  function psSays(line: string): void {
    const script = `#!/bin/sh
      [ "$*" = "-o stat= -o lstart= -p ${process.pid}" ] && [ "$TZ $LC_ALL" = "UTC C" ] && echo "${line}"`;
    writeFileSync(join(bin, 'ps'), script);
    chmodSync(join(bin, 'ps'), 0o755);
  }

  it('is what ps says', () => {
    psSays('S+   Mon Nov 30 12:00:00 2026    ');
    expect(processStart(process.pid, noProc)).toBe('Mon Nov 30 12:00:00 2026');
  });

  it('is none for a process that has ended', () => {
    psSays('Z    Mon Nov 30 12:00:00 2026');
    expect(processStart(process.pid, noProc)).toBeUndefined();
    expect(processStart(pidOfNone, noProc)).toBeUndefined();
  });

  it('is unknown without ps', () => expect(processStart(process.pid, noProc)).toBe(''));
});

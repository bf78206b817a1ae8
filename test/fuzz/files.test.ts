import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VnmError } from '../../src/model/errors.ts';
import { readSlice } from '../../src/slicefile/index.ts';
import { fuzzFiles } from './files.ts';

describe('a slice file', () => {
  it('a text is a slice, or has faults with positions and messages', () => {
    const { files, slices, faults } = fuzzFiles(300);
    expect(files).toBeGreaterThanOrEqual(300);
    expect(slices).toBeGreaterThan(0);
    expect(faults).toBeGreaterThan(files);
  });

  it('a file of random bytes is refused', () => {
    const directory = mkdtempSync(join(tmpdir(), 'pl-vnm-fuzz-'));
    const path = join(directory, 'any.yaml');
    try {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
          writeFileSync(path, bytes);
          expect(() => readSlice(path)).toThrow(VnmError);
        }),
        { numRuns: 200 },
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

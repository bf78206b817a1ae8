import { describe, expect, it } from 'vitest';
import { makeConfigDisk } from '../../../src/agent/machines/config-disk.ts';

const sectorBytes = 2048;

/** Reads the files of the root directory, independent of how they were written. */
function filesOn(disk: Buffer): Record<string, string> {
  const volume = disk.subarray(16 * sectorBytes);
  const root = volume.readUInt32LE(158) * sectorBytes;
  const files: Record<string, string> = {};
  for (let at = root; disk[at] !== 0; at += disk[at]!) {
    const name = disk.subarray(at + 33, at + 33 + disk[at + 32]!).toString('latin1');
    if (name === '\0' || name === '\x01') continue;
    const [start, bytes] = [disk.readUInt32LE(at + 2) * sectorBytes, disk.readUInt32LE(at + 10)];
    expect(disk.readUInt32BE(at + 6) * sectorBytes).toBe(start);
    files[name] = disk.subarray(start, start + bytes).toString();
  }
  return files;
}

describe('makeConfigDisk', () => {
  it('writes files that can be read again, and the name that cloud-init looks for', () => {
    const files = {
      'user-data': '#cloud-config\n',
      'meta-data': 'instance-id: r\n',
      long: 'x'.repeat(5000),
      empty: '',
    };
    const disk = makeConfigDisk(files);
    expect(filesOn(disk)).toEqual(files);
    expect(disk.subarray(32_769, 32_774).toString()).toBe('CD001');
    expect(disk.subarray(32_808, 32_814).toString()).toBe('cidata');
    expect(disk.readUInt32LE(32_848)).toBe(disk.length / sectorBytes);
  });

  it('gives the same bytes for the same files in any order', () => {
    expect(makeConfigDisk({ a: '1', b: '2' }).equals(makeConfigDisk({ b: '2', a: '1' }))).toBe(true);
  });

  it.each([
    [{ A: '' }, "the name 'A' must be"],
    [{ '../x': '' }, "the name '../x' must be"],
    [{ ['n'.repeat(27)]: '' }, 'at most 26'],
    [{ x: 'x'.repeat(1024 * 1024 + 1) }, '1048577 bytes, and 1048576 are possible'],
    [Object.fromEntries(Array.from({ length: 33 }, (_, k) => [`f${k}`, ''])), '33 files, and 32 are possible'],
  ])('refuses %#', (files, why) => {
    expect(() => makeConfigDisk(files as Record<string, string>)).toThrow(why);
  });
});

import { renameSync, writeFileSync } from 'node:fs';

/** Writes a file so that it has the old or the new content, but never a part, also if the process is killed. */
export function replaceFile(path: string, content: string | Buffer): void {
  writeFileSync(`${path}.new`, content);
  renameSync(`${path}.new`, path);
}

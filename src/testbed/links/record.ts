/** The file of a testbed with the paths that differ from how `testbed up` made them. Only its relay writes it. */
import { rename, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import { readBoundedText } from '../../model/bounded-file.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import { testbedFiles } from '../layout.ts';
import { type DirectedLink, directedLinkSchema } from './properties.ts';

const recordSchema = z.strictObject({ links: z.array(directedLinkSchema) });
const maxBytes = 64 * 1024 * 1024;

/** Throws VnmError `failed` for a file that cannot be read. */
export function readChangedLinks(directory: string): readonly DirectedLink[] {
  const path = testbedFiles(directory).links;
  try {
    return recordSchema.parse(JSON.parse(readBoundedText(path, { maxBytes }))).links;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new VnmError('failed', `cannot read the changed paths in ${path}: ${messageOf(error)}`, {
      hint: 'remove the file; the paths are then as the testbed was made',
      cause: error,
    });
  }
}

export async function writeChangedLinks(directory: string, links: readonly DirectedLink[]): Promise<void> {
  const path = testbedFiles(directory).links;
  await writeFile(`${path}.new`, `${JSON.stringify({ links })}\n`);
  await rename(`${path}.new`, path);
}

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, VnmError } from '../model/errors.ts';
import { sliceJsonSchema } from '../slicefile/index.ts';

/** The name of the file with the JSON Schema, which editors read next to slice files. */
export const schemaFile = 'pl-vnm.schema.json';

/** No version of the schema is longer. */
const maxLength = 1024 * 1024;

/**
 * Writes the JSON Schema of slice files into a directory, over an earlier version. Returns the path. Throws VnmError.
 */
export function writeSchema(directory: string): string {
  const file = join(directory, schemaFile);
  const schema = sliceJsonSchema() as { title?: string };
  try {
    if (!mayReplace(file, schema.title)) {
      throw new VnmError('conflict', `${file} exists and is not a schema of slice files`, {
        hint: 'move it, or choose another directory',
      });
    }
    writeFileSync(file, `${JSON.stringify(schema, null, 2)}\n`);
  } catch (cause) {
    if (cause instanceof VnmError) throw cause;
    throw new VnmError('failed', `cannot write ${file}: ${messageOf(cause)}`, {
      hint: 'choose a directory that exists and that you may write to',
      cause,
    });
  }
  return file;
}

/** Whether the file does not exist, or is a schema of slice files. */
function mayReplace(file: string, title: string | undefined): boolean {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) return true;
  if (!found.isFile() || found.size > maxLength) return false;
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { title?: string }).title === title;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

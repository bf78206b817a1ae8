import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { experimentJsonSchema } from '../experiment/file/schema.ts';
import { messageOf, VnmError } from '../model/errors.ts';
import { sliceJsonSchema } from '../slicefile/index.ts';

/** The kinds of files that have a schema, with the name of the file with it, which editors read next to them. */
export const schemaKinds = {
  slice: { file: 'pl-vnm.schema.json', json: sliceJsonSchema },
  experiment: { file: 'pl-vnm-experiment.schema.json', json: experimentJsonSchema },
} as const;

export type SchemaKind = keyof typeof schemaKinds;

/** No version of a schema is longer. */
const maxLength = 1024 * 1024;

/**
 * Writes the JSON Schema of a kind of files into a directory, over an earlier version. Returns the path. Throws
 * VnmError.
 */
export function writeSchema(directory: string, kind: SchemaKind = 'slice'): string {
  const file = join(directory, schemaKinds[kind].file);
  const schema = schemaKinds[kind].json() as { title?: string };
  try {
    if (!mayReplace(file, schema.title)) {
      throw new VnmError('conflict', `${file} exists and is not a schema of ${kind} files`, {
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

/** Whether the file does not exist, or is a schema of that title. */
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

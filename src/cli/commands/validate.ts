import type { Command } from 'commander';
import { exitCodes } from '../../model/exit-codes.ts';
import { checkSlice, checkSubnets, formatFault, readSliceText, sliceJsonSchema } from '../../slicefile/index.ts';
import { type Output, runPlain } from '../run.ts';
import { schemaFile, writeSchema } from '../schema-file.ts';

export function addValidate(program: Command): void {
  program
    .command('validate')
    .description('report all faults of slice files at once, with file:line:column and a hint')
    .argument('<slice.yaml...>', 'slice files; several are also checked against each other')
    .action((files: string[], _options, command: Command) =>
      runPlain(command, async () => {
        const checked = files.map((file) => ({ file, ...checkSlice(readSliceText(file), file) }));
        const good = checked.flatMap((entry) =>
          'slice' in entry ? [{ file: entry.file, slice: entry.slice, at: entry.vnetAt }] : [],
        );
        const faults = [...checked.flatMap((entry) => ('faults' in entry ? entry.faults : [])), ...checkSubnets(good)];
        const text = faults.length === 0 ? files.map((file) => `${file}: ok`) : faults.map(formatFault);
        return {
          text: text.join('\n'),
          json: { ok: faults.length === 0, faults },
          exitCode: faults.length === 0 ? exitCodes.done : exitCodes.invalidInput,
        };
      }),
    );
}

export function addSchema(program: Command): void {
  program
    .command('schema')
    .description('print the JSON Schema of slice files, for editors')
    .option('--write [directory]', `write it to ${schemaFile} there, and print the line to begin slice files with`)
    .action(({ write }: { write?: string | true }, command: Command) =>
      runPlain(command, async () => {
        if (write !== undefined) return written(writeSchema(write === true ? '.' : write));
        const schema = sliceJsonSchema();
        return { text: JSON.stringify(schema, null, 2), json: schema };
      }),
    );
}

function written(file: string): Output {
  const line = `# yaml-language-server: $schema=./${schemaFile}`;
  const text = `wrote ${file}; begin a slice file next to it with this line:\n\n${line}`;
  return { text, json: { file, line } };
}

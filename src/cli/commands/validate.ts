import { Argument, type Command } from 'commander';
import { checkExperiment, isExperiment } from '../../experiment/file/parse.ts';
import { exitCodes } from '../../model/exit-codes.ts';
import { checkSlice, checkSubnets, type Fault, formatFault, readSliceText } from '../../slicefile/index.ts';
import { type Output, runPlain } from '../run.ts';
import { type SchemaKind, schemaKinds, writeSchema } from '../schema-file.ts';
import { outcome, toned } from '../style.ts';

export function addValidate(program: Command): void {
  program
    .command('validate')
    .description('report all faults of slice and experiment files at once, with file:line:column and a hint')
    .argument('<file.yaml...>', 'slice files; several are also checked against each other; or experiment files')
    .action((files: string[], _options, command: Command) =>
      runPlain(command, async () => {
        const checked = files.map((file) => ({ file, ...checkFile(file) }));
        const good = checked.flatMap((entry) =>
          'slice' in entry ? [{ file: entry.file, slice: entry.slice, at: entry.vnetAt }] : [],
        );
        const faults = [...checked.flatMap((entry) => ('faults' in entry ? entry.faults : [])), ...checkSubnets(good)];
        const text = faults.length === 0 ? files.map((file) => `${file}: ${outcome('ok')}`) : faults.map(faultText);
        return {
          text: text.join('\n'),
          json: { ok: faults.length === 0, faults },
          exitCode: faults.length === 0 ? exitCodes.done : exitCodes.invalidInput,
        };
      }),
    );
}

function faultText(fault: Fault): string {
  const place = `${fault.file}:${fault.line}:${fault.column}:`;
  return formatFault(fault).replace(place, () => toned('bad', place));
}

function checkFile(file: string) {
  const text = readSliceText(file);
  return isExperiment(text, file) ? checkExperiment(text, file) : checkSlice(text, file);
}

export function addSchema(program: Command): void {
  program
    .command('schema')
    .description('print the JSON Schema of slice or experiment files, for editors')
    .addArgument(
      new Argument('[kind]', 'the kind of files').choices(Object.keys(schemaKinds)).default('slice' as SchemaKind),
    )
    .option('--write [directory]', 'write it to a file there, and print the line to begin such files with')
    .action((kind: SchemaKind, { write }: { write?: string | true }, command: Command) =>
      runPlain(command, async () => {
        if (write !== undefined) return written(kind, writeSchema(write === true ? '.' : write, kind));
        const schema = schemaKinds[kind].json();
        return { text: JSON.stringify(schema, null, 2), json: schema };
      }),
    );
}

function written(kind: SchemaKind, file: string): Output {
  const line = `# yaml-language-server: $schema=./${schemaKinds[kind].file}`;
  const article = kind === 'experiment' ? 'an' : 'a';
  const text = `wrote ${file}; begin ${article} ${kind} file next to it with this line:\n\n${line}`;
  return { text, json: { file, line } };
}

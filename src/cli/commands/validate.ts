import type { Command } from 'commander';
import { checkSlice, checkSubnets, formatFault, readSliceText, sliceJsonSchema } from '../../slicefile/index.ts';
import { runPlain } from '../run.ts';

export function addValidate(program: Command): void {
  program
    .command('validate')
    .description('all faults of slice files at once, with file:line:column and a hint')
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
          exitCode: faults.length === 0 ? 0 : 3,
        };
      }),
    );
}

export function addSchema(program: Command): void {
  program
    .command('schema')
    .description('the JSON Schema of slice files, for editors')
    .action((_options, command: Command) =>
      runPlain(command, async () => {
        const schema = sliceJsonSchema();
        return { text: JSON.stringify(schema, null, 2), json: schema };
      }),
    );
}

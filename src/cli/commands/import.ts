import { type Command, InvalidArgumentError, Option } from 'commander';
import { decode } from '../../import/decode.ts';
import { type Format, formats } from '../../import/imported.ts';
import type { Change, ImportOptions, ImportResult, Remark, Source } from '../../import/index.ts';
import { formatPrefix, parsePrefix } from '../../model/address.ts';
import { readBounded } from '../../model/bounded-file.ts';
import { messageOf, VnmError } from '../../model/errors.ts';
import { maxLength } from '../../slicefile/document.ts';
import { readSliceText } from '../../slicefile/index.ts';
import { parseName, parseUser, sliceName } from '../../slicefile/names.ts';
import { readingFault } from '../../slicefile/reading-fault.ts';
import { globalOptions, type Output, runPlain } from '../run.ts';
import { replaceFile, writeNew } from '../write-file.ts';

interface Options extends ImportOptions {
  readonly format?: Format;
  readonly output?: string;
  readonly update?: string;
}

export function addImport(program: Command): void {
  program
    .command('import')
    .description('make a slice file from the files of a testbed or tool, or update its nodes')
    .argument('<file...>', "inventories, or one topology; '-' is standard input")
    .addOption(
      new Option('--format <name>', 'the format of the files (default: their content decides)').choices(formats),
    )
    .option('-o, --output <file>', 'write a new slice file (default: standard output)')
    .option('--update <slice.yaml>', 'update the nodes of this slice file, and keep all else in it')
    .addOption(valueOption('--name <slice>', 'the name of the new slice', (text) => parseName(text, sliceName)))
    .addOption(valueOption('--vnet <prefix>', 'the subnet of the new slice', (text) => formatPrefix(parsePrefix(text))))
    .addOption(valueOption('--user <name>', 'your login on the nodes', parseUser))
    .option('--network <name>', 'the network of the files whose addresses tunnels use')
    .option('--strip <prefix>', "what to drop from the beginning of nodes' names")
    .addOption(
      new Option('--end-hosts <routers>', 'give these routers of a topology an end host each, like r1,r4').argParser(
        (text: string) => text.split(','),
      ),
    )
    .action((files: string[], options: Options, command: Command) =>
      runPlain(command, async () => {
        // Imported here so that other commands do not load the parsers.
        const { importSlice, updateSlice } = await import('../../import/index.ts');
        const sources = files.map(readSource);
        if (options.update !== undefined) {
          const target = { file: options.update, text: readSliceText(options.update) };
          const result = updateSlice(sources, target, options);
          const file = options.output ?? options.update;
          if (options.output !== undefined) writeNew(file, result.text, existsHint);
          else if (result.text !== target.text) replaceFile(file, result.text);
          return written(file, result, result.changes);
        }
        const result = importSlice(sources, options);
        if (options.output !== undefined) {
          writeNew(options.output, result.text, existsHint);
          return written(options.output, result, []);
        }
        // Also with --quiet: what a slice file lacks is no progress.
        if (!globalOptions(command).json)
          process.stderr.write(result.remarks.map((one) => `${remarkText(one)}\n`).join(''));
        return { text: result.text.trimEnd(), json: { ...viewOf(result, []), text: result.text } };
      }),
    );
}

const existsHint = 'update it with --update, or write to another file';

function valueOption(flags: string, description: string, parse: (text: string) => string): Option {
  return new Option(flags, description).argParser((text: string) => {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof VnmError) throw new InvalidArgumentError(messageOf(error));
      throw error;
    }
  });
}

function readSource(path: string): Source {
  const file = path === '-' ? 'standard input' : path;
  try {
    const bytes = readBounded(path === '-' ? '/dev/stdin' : path, { maxBytes: maxLength, pipes: true });
    return { file, text: decode(bytes, file) };
  } catch (cause) {
    if (cause instanceof VnmError) throw cause;
    throw new VnmError('invalid-input', `cannot read ${file}: ${readingFault(cause)}`, {
      hint: 'give a text file of at most 4 MiB',
      cause,
    });
  }
}

function written(file: string, result: ImportResult, changes: readonly Change[]): Output {
  const { slice, titles } = result;
  const count = slice.nodes.size;
  const lines = [
    `${file}: slice '${slice.name}' with ${count} ${count === 1 ? 'node' : 'nodes'}, from ${[...new Set(titles)].join(' and ')}`,
    ...changes.map(({ node, what, text }) => `${what}: ${node}: ${text}`),
    ...result.remarks.map(remarkText),
  ];
  return { text: lines.join('\n'), json: { file, ...viewOf(result, changes) } };
}

function viewOf({ slice, titles, remarks }: ImportResult, changes: readonly Change[]) {
  return {
    slice: slice.name,
    nodes: slice.nodes.size,
    sources: titles,
    changes,
    remarks: remarks.map(({ file, position, text }) => ({ file, ...position, text })),
  };
}

function remarkText({ file, position, text }: Remark): string {
  return `${file}:${position.line}:${position.column}: ${text}`;
}

/** The files in `inputs/`, small ones of every format, written by the rules of its tool. */
import { readdirSync, readFileSync } from 'node:fs';
import { decode } from '../../../src/import/decode.ts';
import { type ImportOptions, importSlice, type Source } from '../../../src/import/index.ts';

const directory = new URL('../inputs/', import.meta.url);

export const inputs = readdirSync(directory).toSorted();

export function sourceOf(file: string): Source {
  return { file, text: decode(readFileSync(new URL(file, directory)), file) };
}

/** What the file of jFed needs, because two members of a project can log in. */
export function optionsOf(file: string): ImportOptions {
  return file === 'jfed-manifest.xml' ? { user: 'alice' } : {};
}

/** Imports texts under the names `one`, `two`, ... */
export function importTexts(texts: readonly string[], options: ImportOptions = {}) {
  const names = ['one', 'two', 'three'];
  return importSlice(
    texts.map((text, index) => ({ file: names[index]!, text })),
    options,
  );
}

/** The hosts of the nodes as `user@host:port`, with key and address where they have one. */
export function nodesIn({ slice }: ReturnType<typeof importSlice>): Record<string, string> {
  return Object.fromEntries(
    [...slice.nodes.values()].map(({ name, host, port, user, key, address }) => [
      name,
      [
        `${user === undefined ? '' : `${user}@`}${host}${port === undefined ? '' : `:${port}`}`,
        ...(key === undefined ? [] : [`key ${key}`]),
        ...(address === undefined ? [] : [`address ${address}`]),
      ].join(' '),
    ]),
  );
}

/** The links of the only VN, as `a-b`, with the latency in ms where the file declares one. */
export function linksIn({ slice }: ReturnType<typeof importSlice>): string[] {
  return slice.vns[0]!.links.map(({ from, to }) => {
    const latency = slice.latency.linksMs.get(`${from}`)?.get(`${to}`);
    return `${from} ${to}${latency === undefined ? '' : ` ${latency}`}`;
  });
}

/** The remarks as the command prints them. */
export function remarksIn({ remarks }: ReturnType<typeof importSlice>): string[] {
  return remarks.map(({ file, position, text }) => `${file}:${position.line}:${position.column}: ${text}`);
}

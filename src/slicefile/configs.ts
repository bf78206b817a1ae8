/** The configuration files of routing daemons that a slice file names. Their text becomes part of the slice. */
import { dirname, resolve } from 'node:path';
import { readBounded } from '../model/bounded-file.ts';
import { maxConfigBytes } from '../model/daemon.ts';
import { VnmError } from '../model/errors.ts';
import { checkDaemonConfig } from '../vsys/daemon-config.ts';
import type { Draft, DraftRouter } from './draft.ts';
import { atValue, type Problem } from './fault.ts';
import { readingFault } from './reading-fault.ts';
import { excerpt, quote } from './words.ts';

/** The files that were read, by the name in the slice file, and what is wrong with the others. */
export interface Configs {
  readonly texts: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
}

/** Reads and checks the files of a draft. `read` throws an error whose message is the reason. */
export function readConfigs({ vns }: Draft, read: (name: string) => string): Configs {
  const texts = new Map<string, string>();
  const problems = vns.flatMap(({ daemons }) =>
    daemons.entries.flatMap((router) => {
      try {
        readConfig(router, texts, read);
        return [];
      } catch (error) {
        return [problemWith(router, error)];
      }
    }),
  );
  return { texts, problems };
}

function readConfig({ kind, config }: DraftRouter, texts: Map<string, string>, read: (name: string) => string): void {
  if (config === undefined || config.name === '' || kind === undefined) return;
  if (kind === 'static' || kind === 'switch' || kind === 'image') return;
  const text = texts.get(config.name) ?? read(config.name);
  checkDaemonConfig(kind, text);
  texts.set(config.name, text);
}

function problemWith({ config }: DraftRouter, error: unknown): Problem {
  const { name, path } = config!;
  if (error instanceof VnmError) {
    return atValue(path, `${quote(name)}, ${excerpt(error.message)}`, error.hint);
  }
  const hint = `give a text file of at most ${maxConfigBytes / 1024} KiB; its name is relative to the slice file`;
  return atValue(path, `cannot read ${quote(name)}: ${excerpt(readingFault(error))}`, hint);
}

/** Reads a configuration file (UTF-8) that the slice file `file` names. `readingFault` explains what it throws. */
export function readConfigFile(file: string, name: string): string {
  const bytes = readBounded(resolve(dirname(file), name), { maxBytes: maxConfigBytes });
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}

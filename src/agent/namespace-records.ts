/** What runs in each namespace, kept on disk for the next agent. In a directory that only root can access. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootId } from '../model/process-start.ts';

export interface NamespaceRecords<T extends { readonly namespace: string }> {
  /** Of this boot of the machine: namespaces and processes of another one have gone. */
  read(): T[];
  write(record: T): void;
  remove(namespace: string): void;
}

export function namespaceRecords<T extends { readonly namespace: string }>(directory: string): NamespaceRecords<T> {
  const pathOf = (namespace: string) => join(directory, `${namespace}.json`);
  return {
    read() {
      const names = listed(directory).filter((name) => name.endsWith('.json'));
      const saved = names.map(
        (name) => JSON.parse(readFileSync(join(directory, name), 'utf8')) as T & { boot: string },
      );
      return saved.filter(({ boot }) => boot === bootId()).map(({ boot: _, ...record }) => record as unknown as T);
    },
    write(record) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const path = pathOf(record.namespace);
      writeFileSync(`${path}.new`, JSON.stringify({ ...record, boot: bootId() }), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
    remove: (namespace) => rmSync(pathOf(namespace), { force: true }),
  };
}

function listed(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

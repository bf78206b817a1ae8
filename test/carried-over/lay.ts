/**
 * What an earlier version left: its database, and its objects and policies on the nodes of a testbed. `vN/` has what
 * that version wrote and did for the two-node slice, recorded while it did; N is the version of its database. Names of
 * the testbed stand as
 * `{address NODE}`, `{namespace NODE}` and `{testbed}`.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { Testbed } from '../../src/testbed/record.ts';

export type EarlierVersion = 2 | 6;

type Row = Readonly<Record<string, string | number | null>>;

/**
 * One of: lines for `nft`, words for `ip` or `tc`, values of files below /proc/sys/net. In the node's own stack without
 * `namespace`.
 */
interface Step {
  readonly node: string;
  readonly namespace?: string;
  readonly nft?: readonly string[];
  readonly ip?: readonly string[];
  readonly tc?: readonly string[];
  readonly settings?: readonly (readonly [string, string])[];
}

export function layEarlierVersion(version: EarlierVersion, { id, nodes, directory }: Testbed, database: string): void {
  const read = (name: string) => {
    const text = readFileSync(new URL(`v${version}/${name}`, import.meta.url), 'utf8').replaceAll('{testbed}', id);
    return nodes.reduce(
      (known, { name: node, namespace, address }) =>
        known.replaceAll(`{namespace ${node}}`, namespace).replaceAll(`{address ${node}}`, address),
      text,
    );
  };
  writeDatabase(version, JSON.parse(read('rows.json')), database);
  const namespaces = new Map(nodes.map(({ name, namespace }) => [name, namespace]));
  for (const line of read('objects.jsonl').trim().split('\n')) {
    const step = JSON.parse(line) as Step;
    carryOut(step, step.namespace ?? namespaces.get(step.node)!);
  }
  for (const [node, policy] of Object.entries(JSON.parse(read('policies.json')))) {
    const policies = join(directory, 'nodes', node, 'policy');
    mkdirSync(policies, { recursive: true });
    writeFileSync(join(policies, 'two.json'), `${JSON.stringify(policy, null, 2)}\n`);
  }
}

function carryOut({ nft, ip, tc, settings }: Step, stack: string): void {
  const inside = (command: readonly string[], input = '') =>
    execFileSync('nsenter', [`--net=/run/netns/${stack}`, ...command], { input, stdio: ['pipe', 'ignore', 'inherit'] });
  if (nft !== undefined) inside(['nft', '-f', '-'], nft.map((line) => `${line}\n`).join(''));
  if (ip !== undefined) inside(['ip', ...ip]);
  if (tc !== undefined) inside(['tc', ...tc]);
  for (const [file, value] of settings ?? []) inside(['tee', `/proc/sys/net/${file}`], value);
}

/** In the place of the database that there is, of which the testbed is taken over. */
function writeDatabase(version: EarlierVersion, rows: Readonly<Record<string, readonly Row[]>>, path: string): void {
  const earlier = `${path}.earlier`;
  const db = new Database(earlier);
  db.exec(readFileSync(new URL(`../store/schema-v${version}.sql`, import.meta.url), 'utf8'));
  db.prepare('attach ? as present').run(path);
  db.exec(
    'insert into testbeds (id, directory, state, record) select id, directory, state, record from present.testbeds',
  );
  db.exec('detach present');
  for (const [table, list] of Object.entries(rows)) {
    for (const row of list) {
      const names = Object.keys(row);
      db.prepare(
        `insert into ${table} (${names.join(', ')}) values (${names.map((name) => `@${name}`).join(', ')})`,
      ).run(row);
    }
  }
  db.pragma(`user_version = ${version}`);
  db.close();
  for (const end of ['-wal', '-shm']) rmSync(`${path}${end}`, { force: true });
  renameSync(earlier, path);
}

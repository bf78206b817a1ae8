import { readdirSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));

/**
 * Imports go one way: a folder may use the tiers before its own, and the folders of its own tier that `sameTier` names.
 */
const tiers = [
  ['model'],
  ['planning', 'slicefile', 'vsys', 'clock'],
  ['store', 'transport', 'agent', 'import'],
  ['controller'],
  ['testbed', 'experiment', 'service'],
  ['cli'],
];
/** The demo makes its own testbed; slice file reader and agent check configurations of routing daemons alike. */
const sameTier = new Map([
  ['experiment', ['testbed']],
  ['slicefile', ['vsys']],
]);

/** The tiers within the controller; `.` are its commands, one file each. */
const tiersOfController = [
  ['base', 'batches'],
  ['nodes'],
  ['probe', 'routing', 'inside'],
  ['migration'],
  ['.', 'views'],
];

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
/** The files that each file imports, as paths within src. */
const imports = new Map(files.map((file) => [file, importsOf(file)]));

function importsOf(file: string): string[] {
  const text = readFileSync(resolve(src, file), 'utf8');
  const paths = [...text.matchAll(/(?:from|import\() ?'(\.[^']+)'/g)].map(([, path]) => path!);
  return [...new Set(paths.map((path) => relative(src, resolve(src, dirname(file), path))))].filter((path) =>
    files.includes(path),
  );
}

function tierOf(folder: string, of: readonly (readonly string[])[]): number {
  return of.findIndex((tier) => tier.includes(folder));
}

const folderOf = (file: string) => file.split('/')[0]!;
const partOf = (file: string) => file.split('/').slice(1, -1)[0] ?? '.';
const ofController = files.filter((file) => folderOf(file) === 'controller');

test('every folder of src and of the controller has its tier', () => {
  expect([...new Set(files.map(folderOf))].filter((folder) => tierOf(folder, tiers) < 0)).toEqual([]);
  expect([...new Set(ofController.map(partOf))].filter((part) => tierOf(part, tiersOfController) < 0)).toEqual([]);
});

test('imports between folders go one way', () => {
  const wrong = files.flatMap((file) =>
    imports.get(file)!.filter((path) => {
      const [from, to] = [folderOf(file), folderOf(path)];
      return from !== to && tierOf(to, tiers) >= tierOf(from, tiers) && !sameTier.get(from)?.includes(to);
    }),
  );
  expect(wrong).toEqual([]);
});

test('imports within the controller go one way', () => {
  const wrong = ofController.flatMap((file) =>
    imports
      .get(file)!
      .filter((path) => folderOf(path) === 'controller')
      .filter((path) => {
        const [from, to] = [partOf(file), partOf(path)];
        return from !== to && tierOf(to, tiersOfController) > tierOf(from, tiersOfController);
      })
      .map((path) => `${file} imports ${path}`),
  );
  expect(wrong).toEqual([]);
});

test('neither data plane needs the other, and the planner of both needs none', () => {
  const forbidden = { kernel: ['userspace'], userspace: ['kernel'], planner: ['kernel', 'userspace'] };
  const wrong = Object.entries(forbidden).flatMap(([from, others]) =>
    [...reachableFrom(files.filter((file) => isOfPlane(file, from)))].filter((file) =>
      others.some((other) => isOfPlane(file, other)),
    ),
  );
  expect(wrong).toEqual([]);
});

function isOfPlane(file: string, plane: string): boolean {
  return file.startsWith(`agent/dataplane/${plane}/`);
}

function reachableFrom(begin: readonly string[]): Set<string> {
  const reached = new Set(begin);
  for (const file of reached) for (const path of imports.get(file)!) reached.add(path);
  return reached;
}

test('no file imports itself through others', () => {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]) => {
    if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(' -> '));
    if (way.includes(file) || done.has(file)) return;
    for (const path of imports.get(file)!) visit(path, [...way, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(circles).toEqual([]);
});

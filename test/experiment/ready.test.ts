import { readdirSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseExperiment, readExperimentText, type Surroundings } from '../../src/experiment/file/parse.ts';
import { scheduleOf } from '../../src/experiment/schedule.ts';
import { readConfigFile, readSliceText } from '../../src/slicefile/index.ts';
import { noImage } from './support/files.ts';

const folder = fileURLToPath(new URL('../../experiments/', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

/** The files of the checkout, without the image, which users build. */
const withImage: Surroundings = {
  slice: (name) => ({ text: readSliceText(resolve(folder, name)), file: resolve(folder, name) }),
  config: readConfigFile,
  image: noImage,
};

/** What is said about an experiment before its first key. */
const commentOf = (text: string) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('#'))
    .map((line) => line.slice(1).trim())
    .join(' ');

it('are there', () => {
  expect(files).toEqual([
    'control-plane.yaml',
    'data-plane-impact.yaml',
    'downtime-against-rate.yaml',
    'figure-7.yaml',
    'figures-9-10.yaml',
    'install-routes.yaml',
    'methods.yaml',
    'openflow-xen.yaml',
    'table-1.yaml',
    'vn-clone.yaml',
  ]);
});

describe.each(files)('%s', (file) => {
  const text = readExperimentText(`${folder}${file}`);
  const { experiment } = parseExperiment(text, `${folder}${file}`, withImage);

  it('is valid, and has the name of its file', () => {
    expect(experiment.name).toBe(basename(file, '.yaml'));
    expect(experiment.description).toBeDefined();
  });

  it('has as many runs as its comment says', () => {
    const { length } = scheduleOf(experiment);
    const said = [...commentOf(text).matchAll(/\b([\d,]+) runs\b/g)].map(([, count]) => Number(count));
    expect(said).toContain(length);
    const [, combinations] = /\b(\d+) combinations\b/.exec(commentOf(text)) ?? [];
    if (combinations !== undefined) expect(Number(combinations)).toBe(experiment.combinations.length);
  });

  it('draws what the paper reports', () => {
    expect(experiment.figures.some(({ paper = [] }) => paper.length > 0)).toBe(true);
  });
});

it('figures 9 and 10 have 110 migrations, 55 forth and 55 back, in each of three ways, and router by router', () => {
  const file = `${folder}figures-9-10.yaml`;
  const { experiment } = parseExperiment(readExperimentText(file), file);
  expect(experiment.vn).toBe('three');
  const runs = scheduleOf(experiment).map(
    ({ combination: { parameters } }) =>
      `${parameters.method === 'vroom' ? 'vroom' : parameters.control} ${parameters.direction}`,
  );
  const counts = Map.groupBy(runs, (run) => run);
  expect(Object.fromEntries([...counts].map(([run, { length }]) => [run, length]))).toEqual({
    'fresh-ssh forth': 55,
    'fresh-ssh back': 55,
    'at forth': 55,
    'at back': 55,
    'gateway forth': 55,
    'gateway back': 55,
    'vroom forth': 55,
    'vroom back': 55,
  });
});

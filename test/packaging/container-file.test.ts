import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { faultsIn, instructionsIn } from './container-file.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
const text = readFileSync(join(checkout, 'Dockerfile'), 'utf8');
const ignored = readFileSync(join(checkout, '.dockerignore'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));
const isSent = (path: string) => existsSync(join(checkout, path)) && !ignored.includes(path);

describe('the Dockerfile', () => {
  it('has no faults', () => {
    expect(faultsIn(text, isSent)).toEqual([]);
  });

  it('is built in stages from Debian, and runs the program as a user', () => {
    const all = instructionsIn(text);
    const from = all.filter(({ name }) => name === 'FROM').map((one) => one.text);
    expect(from.length).toBeGreaterThan(1);
    for (const image of from) expect(image).toMatch(/^node:24-(bookworm|trixie)-slim\b/);
    expect(all.at(-2)).toMatchObject({ name: 'ENTRYPOINT', text: '["pl-vnm"]' });
    expect(all.filter(({ name }) => name === 'USER').map((one) => one.text)).toEqual(['node']);
  });

  it('has the version of Node.js that the checkout pins', () => {
    const { devDependencies } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'));
    const [, major] = /^\^(\d+)\./.exec(devDependencies.node) ?? [];
    expect(text).toContain(`FROM node:${major}-`);
  });

  it('gets what the package is made of, and nothing that is large or of this machine', () => {
    const { files } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { files: string[] };
    for (const name of ['src', 'package.json', 'package-lock.json', 'README.md', 'LICENSE', ...files]) {
      if (name !== 'dist') expect(ignored).not.toContain(name);
    }
    expect(ignored).toEqual(expect.arrayContaining(['.git', 'node_modules', 'dist', '*.db']));
  });
});

describe('a fault of a Dockerfile', () => {
  const end = 'USER node\nENTRYPOINT ["pl-vnm"]';
  const faultsOf = (body: string, rest = end) => faultsIn(`FROM node:24\n${body}\n${rest}`, (path) => path === 'src');

  it.each([
    ['ADD https://example.org/x /x', '2: COPY says better what happens than ADD'],
    ['COPY nowhere /x', "2: the build has no 'nowhere'"],
    ['COPY --from=build src /x', "2: there is no stage 'build'"],
    ['COPY src', '2: COPY needs a source and a target'],
    ['WORKDIR data', '2: a WORKDIR is a full path'],
    ['CMD pl-vnm serve', '2: CMD is a list in JSON, so that signals reach the program'],
    ['RUNN true', "2: unknown instruction 'RUNN'"],
    ['FROM debian\nUSER node', "2: image 'debian' has no fixed tag"],
    ['FROM debian:latest', "2: image 'debian:latest' has no fixed tag"],
  ])('%s', (body, fault) => {
    expect(faultsOf(body)).toEqual([fault]);
  });

  it('apt-get is to update, install without questions and recommendations, and leave no lists', () => {
    expect(faultsOf('RUN apt-get install ssh')).toEqual([
      '2: apt-get installs from old lists',
      '2: apt-get would ask',
      '2: apt-get installs what is only recommended',
      '2: the lists of apt-get stay in the image',
    ]);
  });

  it.each(['', 'USER root', 'USER 0:0'])('an image that runs as root: %j', (user) => {
    expect(faultsOf(user, 'ENTRYPOINT ["pl-vnm"]')).toEqual(['1: the image runs as root']);
  });

  it('an image without ENTRYPOINT', () => {
    expect(faultsOf('', 'USER node')).toEqual(['1: the image has no ENTRYPOINT']);
  });

  it('a correct file has none, whatever its lines look like', () => {
    expect(faultsOf('COPY src \\\n  # between\n  /opt/')).toEqual([]);
  });
});

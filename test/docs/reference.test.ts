/** The generated pages match the program. `npm run -s test:run -- test/docs/reference.test.ts -u` writes them again. */
import { expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { experimentJsonSchema } from '../../src/experiment/file/schema.ts';
import { sliceJsonSchema } from '../../src/slicefile/index.ts';
import { ownServer } from '../service/support/server.ts';
import { commandsPage, errorsPage, experimentFilePage, httpPage, sliceFilePage } from './reference.ts';

const reference = '../../docs/reference';

test('docs/reference/commands.md has the help of every command', async () => {
  const page = commandsPage(createProgram());
  expect(page).toContain('## migrate');
  await expect(page).toMatchFileSnapshot(`${reference}/commands.md`);
});

test('docs/reference/slice-file.md has every key of the schema', async () => {
  const page = sliceFilePage(sliceJsonSchema());
  expect(page).toContain('`vn.gateways.*.router`');
  await expect(page).toMatchFileSnapshot(`${reference}/slice-file.md`);
});

test('docs/reference/experiment-file.md has every key of the schema', async () => {
  const page = experimentFilePage(experimentJsonSchema());
  expect(page).toContain('`fixed.latencyFactor`');
  await expect(page).toMatchFileSnapshot(`${reference}/experiment-file.md`);
});

test('docs/reference/http.md has every operation of the OpenAPI document', async () => {
  const { ask } = await ownServer();
  const page = httpPage((await ask('GET', '/api/openapi.json')).json as Parameters<typeof httpPage>[0]);
  expect(page).toContain('## POST /api/');
  await expect(page).toMatchFileSnapshot(`${reference}/http.md`);
});

test('docs/reference/errors.md has every code', async () => {
  const page = errorsPage();
  expect(page).toContain('`rollback-incomplete`');
  await expect(page).toMatchFileSnapshot(`${reference}/errors.md`);
});

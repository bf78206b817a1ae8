import { expect, test } from 'vitest';
import type { Context } from '../../src/controller/base/context.ts';
import { install } from '../../src/controller/install.ts';
import { livingSlice } from '../support/living-slice.ts';

test('install refuses routers with a routing daemon before it connects to a node', async () => {
  const slice = livingSlice(['bird', 'bird', 'bird', 'bird'], 'ospf');
  await expect(install({} as Context, slice, { placement: 'initial', urpf: 'strict' })).rejects.toMatchObject({
    code: 'unsupported',
    message: "router 'a' is of kind 'bird', which cannot be installed yet",
    hint: 'give the routers kind: static',
  });
});

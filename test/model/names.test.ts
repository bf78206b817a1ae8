/** Checked by the compiler, with the types of all tests. */
import { expectTypeOf, test } from 'vitest';
import type { GatewayName, NamespaceName, NodeName, RouterName } from '../../src/model/names.ts';

test('one kind of name is not taken as another', () => {
  expectTypeOf<NodeName>().not.toExtend<RouterName>();
  expectTypeOf<RouterName>().not.toExtend<NodeName>();
  expectTypeOf<GatewayName>().not.toExtend<RouterName>();
  expectTypeOf<NamespaceName>().not.toExtend<RouterName>();
  expectTypeOf<ReadonlyMap<NodeName, NodeName>>().not.toExtend<ReadonlyMap<RouterName, NodeName>>();
});

test('a text from outside is taken as any of them, and any of them as a text', () => {
  expectTypeOf<string>().toExtend<NodeName>();
  expectTypeOf<GatewayName>().toExtend<string>();
});

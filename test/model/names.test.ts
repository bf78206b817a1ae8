/** The compiler checks these, with the types of all tests. */
import { expectTypeOf, test } from 'vitest';
import type { GatewayName, NamespaceName, NodeName, RouterName } from '../../src/model/names.ts';

test('a name of one type is not assignable to another type', () => {
  expectTypeOf<NodeName>().not.toExtend<RouterName>();
  expectTypeOf<RouterName>().not.toExtend<NodeName>();
  expectTypeOf<GatewayName>().not.toExtend<RouterName>();
  expectTypeOf<NamespaceName>().not.toExtend<RouterName>();
  expectTypeOf<ReadonlyMap<NodeName, NodeName>>().not.toExtend<ReadonlyMap<RouterName, NodeName>>();
});

test('a string is assignable to every type of name, and vice versa', () => {
  expectTypeOf<string>().toExtend<NodeName>();
  expectTypeOf<GatewayName>().toExtend<string>();
});

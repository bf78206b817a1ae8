import { expect, it } from 'vitest';
import { requestSchemas } from '../../src/vsys/messages.ts';
import { whenUsed } from '../../src/vsys/when-used.ts';

it('a value is made when it is first used, and only once', () => {
  const made: string[] = [];
  const make = (name: string) => () => {
    made.push(name);
    return { name };
  };
  const values = whenUsed({ one: make('one'), two: make('two') });
  expect([Object.keys(values), Object.hasOwn(values, 'one'), Object.hasOwn(values, 'three')]).toEqual([
    ['one', 'two'],
    true,
    false,
  ]);
  expect(made).toEqual([]);
  expect(values.two).toBe(values.two);
  expect(made).toEqual(['two']);
});

it('every request has a schema', () => {
  for (const schema of Object.values(requestSchemas)) expect(schema.safeParse(undefined).success).toBe(false);
});

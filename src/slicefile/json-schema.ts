import * as z from 'zod';
import type { Path } from './path.ts';
import { sliceSchema } from './schema.ts';

/** The part of JSON Schema that the schema of slice files uses. */
export interface JsonSchema {
  readonly title?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | false;
  readonly items?: JsonSchema | false;
  readonly prefixItems?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
}

let made: JsonSchema | undefined;

/** Makes it when it is first needed: only errors need it. */
function schema(): JsonSchema {
  made ??= z.toJSONSchema(sliceSchema, { io: 'input' }) as JsonSchema;
  return made;
}

/** The JSON Schema (2020-12) of slice files, for editors. It cannot check, for example, that a router exists. */
export function sliceJsonSchema(): object {
  return structuredClone(schema());
}

/** The schema of the value at `path`; undefined if no value is allowed there. */
export function schemaAt(path: Path): JsonSchema | undefined {
  return path.reduce<JsonSchema | undefined>(
    (here, step) => (here === undefined ? undefined : childOf(here, step)),
    schema(),
  );
}

/** The keys that a map at `path` may have. */
export function keysAt(path: Path): string[] {
  return formsOf(schemaAt(path) ?? {}).flatMap(({ properties = {} }) => Object.keys(properties));
}

function formsOf(schema: JsonSchema): readonly JsonSchema[] {
  return schema.anyOf ?? [schema];
}

function childOf(parent: JsonSchema, step: string | number): JsonSchema | undefined {
  return formsOf(parent)
    .map((form) => childOfForm(form, step))
    .find((child) => child !== undefined);
}

function childOfForm(parent: JsonSchema, step: string | number): JsonSchema | undefined {
  const child =
    typeof step === 'number'
      ? (parent.prefixItems?.[step] ?? parent.items)
      : parent.properties && Object.hasOwn(parent.properties, step)
        ? parent.properties[step]
        : parent.additionalProperties;
  return child === false ? undefined : child;
}

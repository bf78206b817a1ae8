import * as z from 'zod';
import type { Path } from './path.ts';
import { sliceSchema } from './schema.ts';

/** The part of JSON Schema that the schemas of files use. */
interface JsonSchema {
  readonly title?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | false;
  readonly items?: JsonSchema | false;
  readonly prefixItems?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
}

/** The schema of a kind of file. Its titles and descriptions are the texts of faults. */
export interface FileSchema<S extends z.ZodType = z.ZodType> {
  readonly schema: S;
  /** What a file holds, for messages. */
  readonly noun: string;
  /** The JSON Schema (2020-12), for editors. It cannot check, for example, that a router exists. */
  json(): object;
  /** The schema of the value at `path`; undefined if no value is allowed there. */
  schemaAt(path: Path): JsonSchema | undefined;
  /** The keys that a map at `path` may have. */
  keysAt(path: Path): string[];
}

export function fileSchema<S extends z.ZodType>(schema: S, noun: string): FileSchema<S> {
  let made: JsonSchema | undefined;
  /** Makes it when it is first needed: only errors need it. */
  const json = () => {
    made ??= z.toJSONSchema(schema, { io: 'input' }) as JsonSchema;
    return made;
  };
  const schemaAt = (path: Path) =>
    path.reduce<JsonSchema | undefined>((here, step) => (here === undefined ? undefined : childOf(here, step)), json());
  return {
    schema,
    noun,
    json: () => structuredClone(json()),
    schemaAt,
    keysAt: (path) => formsOf(schemaAt(path) ?? {}).flatMap(({ properties = {} }) => Object.keys(properties)),
  };
}

export const sliceFileSchema = fileSchema(sliceSchema, 'slice');

/** The JSON Schema of slice files, for editors. */
export function sliceJsonSchema(): object {
  return sliceFileSchema.json();
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

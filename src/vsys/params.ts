import type { z } from 'zod';
import { VnmError } from '../model/errors.ts';
import { type Method, maxOperations, type Params, requestSchemas } from './messages.ts';
import { type Operation, type OperationName, operationNames, operationSchema } from './operations.ts';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** Limits on quotations from a request, which may be of any size. */
const maxShown = 100;
const maxMessage = 500;

/** Throws VnmError `invalid-input` for a method that the protocol does not have. */
export function parseMethod(method: string): Method {
  if (Object.hasOwn(requestSchemas, method)) return method as Method;
  throw new VnmError('invalid-input', `unknown method ${oneLine(JSON.stringify(method.slice(0, maxShown)))}`, {
    hint: 'use the same version at both ends',
  });
}

/**
 * Returns the parameters with defaults filled in. Throws VnmError `invalid-input` that names the path of the first
 * invalid field.
 */
export function parseParams<M extends Method>(method: M, params: unknown): Params<M> {
  const operations =
    method === 'apply' ? (params as { operations?: unknown } | null | undefined)?.operations : undefined;
  if (!Array.isArray(operations)) return parseAll(method, params);
  const rest = parseAll(method, { ...(params as object), operations: [] });
  const parsed = operations.slice(0, maxOperations).map(parseOperation);
  if (operations.length === parsed.length) return { ...rest, operations: parsed };
  const message = `apply: operations: ${operations.length} exceed the limit of ${maxOperations}`;
  throw new VnmError('invalid-input', message, { hint: 'send several batches' });
}

function parseAll<M extends Method>(method: M, params: unknown): Params<M> {
  const parsed = requestSchemas[method].safeParse(params);
  if (!parsed.success) throw badParams(method, [], parsed.error.issues[0]!);
  return parsed.data as Params<M>;
}

/** Parsed one by one up to the first invalid one: the whole schema would collect the faults of all, maybe a million. */
function parseOperation(operation: unknown, index: number): Operation {
  const parsed = operationSchema.safeParse(operation);
  if (parsed.success) return parsed.data;
  const { op } = (operation ?? {}) as { op?: unknown };
  throw badParams('apply', ['operations', index], issueOf(op, parsed.error.issues[0]!));
}

/**
 * Returns the first fault of an operation as the kind that its `op` names; the issue itself has faults for every kind.
 */
function issueOf(op: unknown, issue: Issue): Issue {
  const position = operationNames.indexOf(op as OperationName);
  if (position === -1) return { ...issue, path: ['op'], message: `unknown operation ${show(op)}` };
  return (issue.code === 'invalid_union' && issue.errors[position]?.[0]) || issue;
}

function show(op: unknown): string {
  return typeof op === 'string' ? JSON.stringify(op.slice(0, maxShown)) : typeof op;
}

function badParams(method: Method, parent: Path, issue: Issue): VnmError {
  const path = [...parent, ...issue.path]
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('');
  const message = [method, path.slice(1), issue.message].filter((part) => part !== '').join(': ');
  return new VnmError('invalid-input', oneLine(message.slice(0, maxMessage)));
}

/**
 * Replaces control characters: the schema and the JSON parser quote what was sent as it is, and JSON itself escapes
 * only some.
 */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu, '?');
}

/** The plane's state in a file: what a kernel would keep while no agent runs. */
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { VnmError } from '../../../model/errors.ts';
import { type KernelState, ownStack, type Stack } from '../planner/state.ts';
import { endsStep, type Steps } from './steps.ts';

const version = 1;

/** As JSON has it. */
interface Saved {
  readonly version: number;
  readonly stacks: readonly {
    readonly namespace: string;
    readonly links: readonly unknown[];
    readonly routes: readonly unknown[];
    readonly settings: readonly unknown[];
  }[];
  readonly nexthops: readonly unknown[];
  readonly rules: readonly unknown[];
  readonly forwards: readonly unknown[];
}

type Kept = Pick<KernelState, 'stacks' | 'nexthops' | 'rules' | 'forwards'>;

export interface StateFile {
  /** Undefined where there is none. Throws VnmError `failed` for one that cannot be read. */
  read(): Kept | undefined;
  /** Appears whole or not at all. One at a time. */
  write(state: Kept): Steps<void>;
  remove(): void;
}

/** For its owner only: it has the slice's key. */
export function stateFile(path: string): StateFile {
  return {
    read() {
      let text: string;
      try {
        text = readFileSync(path, 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
      try {
        return parse(text);
      } catch (error) {
        throw new VnmError(
          'failed',
          `cannot read the state of the data plane in ${path}: ${(error as Error).message}`,
          {
            hint: 'remove the file, then run pl-vnm reconcile',
            cause: error,
          },
        );
      }
    },
    *write(state) {
      try {
        yield* writeText(`${path}.new`, textOf(state));
        renameSync(`${path}.new`, path);
      } catch (error) {
        rmSync(`${path}.new`, { force: true });
        throw error;
      }
    },
    remove: () => rmSync(path, { force: true }),
  };
}

function* writeText(path: string, parts: Iterable<string | typeof endOfStep>): Steps<void> {
  const file = openSync(path, 'w', 0o600);
  try {
    for (const part of parts) {
      if (part === endOfStep) yield;
      else writeFileSync(file, part);
    }
  } finally {
    closeSync(file);
  }
}

const endOfStep = Symbol();

/** The JSON text of `Saved`. */
function* textOf({ stacks, nexthops, rules, forwards = new Map() }: Kept): Generator<string | typeof endOfStep> {
  yield `{"version":${version},"stacks":[`;
  let separator = '';
  for (const [namespace, { links, routes, settings }] of stacks) {
    yield `${separator}{"namespace":${JSON.stringify(namespace)}`;
    yield* listText('links', links);
    yield* listText('routes', routes);
    yield* listText('settings', settings);
    yield '}';
    separator = ',';
  }
  yield ']';
  yield* listText('nexthops', nexthops);
  yield* listText('rules', rules);
  yield* listText('forwards', forwards);
  yield '}';
}

/** A list of an object that has something before it. */
function* listText(name: string, items: Iterable<unknown>): Generator<string | typeof endOfStep> {
  yield `,"${name}":[`;
  let count = 0;
  let texts: string[] = [];
  for (const item of items) {
    if (count > 0 && endsStep(count)) {
      yield `${texts.join(',')},`;
      yield endOfStep;
      texts = [];
    }
    texts.push(JSON.stringify(item));
    count += 1;
  }
  yield `${texts.join(',')}]`;
}

function parse(text: string): Kept {
  const saved = JSON.parse(text) as Saved | null;
  if (saved?.version !== version) throw new Error(`its version is ${saved?.version}, this agent knows ${version}`);
  const stacks = new Map<string, Stack>(
    listIn(saved, 'stacks').map((stack) => [
      stack.namespace,
      {
        links: new Map(listIn(stack, 'links') as [string, never][]),
        routes: new Map(listIn(stack, 'routes') as [string, never][]),
        settings: new Map(listIn(stack, 'settings') as [string, string][]),
      },
    ]),
  );
  if (!stacks.has(ownStack)) throw new Error("it lacks the node's own stack");
  const nexthops = new Map(listIn(saved, 'nexthops') as [number, never][]);
  const rules = new Set(listIn(saved, 'rules') as never[]);
  return { stacks, nexthops, rules, forwards: new Map(listIn(saved, 'forwards') as [string, never][]) };
}

/** Throws Error for one that is missing, of which a Map or Set would make an empty one. */
function listIn<T, K extends keyof T & string>(saved: T, name: K): T[K] {
  if (!Array.isArray(saved[name])) throw new Error(`it lacks '${name}'`);
  return saved[name];
}

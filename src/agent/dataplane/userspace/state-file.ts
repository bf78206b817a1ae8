/** The plane's state in a file: what a kernel would keep while no agent runs. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { VnmError } from '../../../model/errors.ts';
import { type KernelState, ownStack, type Stack } from '../planner/state.ts';

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
  /** Appears whole or not at all. */
  write(state: KernelState): void;
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
    write({ stacks, nexthops, rules, forwards = new Map() }) {
      const saved: Saved = {
        version,
        stacks: [...stacks].map(([namespace, stack]) => ({
          namespace,
          links: [...stack.links],
          routes: [...stack.routes],
          settings: [...stack.settings],
        })),
        nexthops: [...nexthops],
        rules: [...rules],
        forwards: [...forwards],
      };
      writeFileSync(`${path}.new`, JSON.stringify(saved), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
    remove: () => rmSync(path, { force: true }),
  };
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

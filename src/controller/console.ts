/** The console of a router that is a virtual machine. */
import { VnmError } from '../model/errors.ts';
import type { NamespaceName } from '../model/names.ts';
import type { Slice } from '../model/slice.ts';
import type { CommandEnd } from '../vsys/messages.ts';
import type { Terminal } from '../vsys/terminal.ts';
import { type Context, signalOption } from './base/context.ts';
import { atNode, atPlace, type PlaceAccess } from './inside/access.ts';
import type { ExecStreams } from './inside/commands.ts';
import { describePlace, findPlace, type Place } from './inside/place.ts';
import { runCommand } from './inside/run.ts';
import { type OwnTerminal, runInTerminal } from './inside/terminal.ts';

export interface ConsoleRequest {
  readonly slice: Slice;
  /** Name of a VN; only needed where several have a router of that name. */
  readonly vn?: string | undefined;
  /** Name of a router. */
  readonly place: string;
}

/** Returns the last part of what the guest has written. Throws VnmError `not-found`, `usage`, `forbidden`. */
export function consoleLogOf(context: Context, request: ConsoleRequest): Promise<string> {
  return atRouter(context, request, async (_, { connection, node }, namespace) => {
    const asked = connection.call('console_log', { namespace }, signalOption(context));
    return (await asked.catch(atNode(node))).text;
  });
}

/** Joins the streams with the console until the user leaves it. Returns the exit code. Throws as `consoleLogOf`. */
export function openConsole(
  context: Context,
  { terminal, ...request }: ConsoleRequest & { readonly terminal: OwnTerminal },
  streams: ExecStreams,
): Promise<number> {
  return atRouter(context, request, async (place, { connection, node }, namespace) => {
    const what = `the console of ${describePlace(place)} on node '${node}'`;
    const commands = {
      run: async (_: readonly string[], passed: ExecStreams, size?: Terminal): Promise<CommandEnd> => {
        const asked = { namespace, ...(size === undefined ? {} : { terminal: size }) };
        const { id } = await connection.call('console', asked, signalOption(context)).catch(atNode(node));
        return runCommand(connection, id, { ...passed, what, ...signalOption(context) });
      },
      // The guest's terminal has no size.
      runBeside: async () => {},
    };
    return (await runInTerminal(commands, [], streams, terminal, false)).code ?? 1;
  });
}

function atRouter<T>(
  context: Context,
  { slice, vn, place: text }: ConsoleRequest,
  body: (place: Place, access: PlaceAccess, namespace: NamespaceName) => Promise<T>,
): Promise<T> {
  const place = findPlace(slice, text, vn);
  const router = place.kind === 'router' ? place.vn.routers.find(({ name }) => name === place.name) : undefined;
  if (router?.kind !== 'image') {
    throw new VnmError('usage', `${describePlace(place)} is no virtual machine and has no console`, {
      hint: 'open a shell there with pl-vnm shell',
    });
  }
  return atPlace(context, slice, place, (access) => body(place, access, access.namespace!));
}

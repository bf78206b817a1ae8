import { once } from 'node:events';
import type { Command } from 'commander';
import type { Context } from '../../controller/base/context.ts';
import { sliceFromArgument } from '../../controller/base/slice-argument.ts';
import { history } from '../../controller/history.ts';
import { migrationDetailView } from '../../controller/views/migration.ts';
import { eventView } from '../../controller/views/status.ts';
import { VnmError } from '../../model/errors.ts';
import type { StoredEvent } from '../../store/events.ts';
import { eventLine } from '../event-text.ts';
import { follow } from '../follow.ts';
import { historyTable, migrationDetailText } from '../history-text.ts';
import { countOption, sinceOption } from '../options.ts';
import { alreadyPrinted, globalOptions, type Output, runCommand } from '../run.ts';
import { orOutputLost } from '../streams.ts';

export function addHistory(program: Command): void {
  program
    .command('history')
    .description('show what was done to a slice: migrations with their ids, installations, repairs; newest first')
    .argument('[slice]', 'a slice file, or the name of a slice in the database (default: all slices)')
    .addOption(countOption('--limit <n>', 'the number of entries', 20))
    .action((argument: string | undefined, { limit }: { limit: number }, command: Command) =>
      runCommand(command, async (context) => {
        const entries = history(context, sliceNameOf(context, argument), limit);
        const text = entries.length === 0 ? `${context.store.path} has no history yet` : historyTable(entries);
        return { text, json: { history: entries } };
      }),
    );
}

export function addShow(program: Command): void {
  program
    .command('show')
    .description('show one migration in full: phases, redirections, what its flows lost, why it failed')
    .argument('<migration>', 'the id of the migration, from pl-vnm history')
    .action((argument: string, _options: unknown, command: Command) =>
      runCommand(command, async (context) => shown(context, parseId(argument))),
    );
}

function parseId(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new VnmError('usage', `invalid migration id '${text}': not a positive whole number`, {
    hint: "run 'pl-vnm history' to list migrations with their ids, or 'pl-vnm status SLICE' to show a slice",
  });
}

function shown(context: Context, id: number): Output {
  const view = migrationDetailView(context, id);
  if (view === undefined) {
    throw new VnmError('not-found', `there is no migration ${id} in ${context.store.path}`, {
      hint: "run 'pl-vnm history' to list migrations with their ids",
    });
  }
  return { text: migrationDetailText(context.store.migrations.detail(id)!, view), json: view };
}

interface EventOptions {
  readonly follow: boolean;
  /** Unix ms. */
  readonly since?: number;
  readonly limit: number;
}

export function addEvents(program: Command): void {
  program
    .command('events')
    .description('show what happened, oldest first, from the database; no service needs to run')
    .argument('[slice]', 'a slice file, or the name of a slice in the database (default: all slices)')
    .option('--follow', 'keep printing new events until Ctrl-C; with --json, one object per line', false)
    .addOption(sinceOption('--since <when>', 'all events since then, like 10m or 2026-12-01T03:00Z'))
    .addOption(countOption('--limit <n>', 'the number of latest events, without --since', 20))
    .action((argument: string | undefined, options: EventOptions, command: Command) =>
      runCommand(command, async (context) => {
        const slice = sliceNameOf(context, argument);
        if (options.follow) return followed(context, slice, options, globalOptions(command).json);
        const events = eventsFor(context, slice, options);
        const text = events.length === 0 ? 'no events' : events.map(eventLine).join('\n');
        return { text, json: { events: events.map(eventView) } };
      }),
    );
}

function eventsFor({ store: { events } }: Context, slice: string | undefined, { since, limit }: EventOptions) {
  if (since === undefined) return events.list(slice, limit).reverse();
  return events.after(events.lastIdBefore(since), Number.MAX_SAFE_INTEGER, slice);
}

/** Prints events until Ctrl-C, the intended end, or until the reader of its output has gone. */
async function followed(
  context: Context,
  slice: string | undefined,
  options: EventOptions,
  json: boolean,
): Promise<Output> {
  const signal = orOutputLost(context.signal);
  const print = async (event: StoredEvent) => {
    const line = json ? JSON.stringify(eventView(event)) : eventLine(event);
    if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain', { signal }).catch(() => undefined);
  };
  const { events } = context.store;
  const before = options.since === undefined ? firstOf(context, slice, options) : events.lastIdBefore(options.since);
  for await (const event of follow(events, { after: before, slice, signal })) await print(event);
  return alreadyPrinted;
}

/** The id of the event before the latest `limit` events. */
function firstOf({ store: { events } }: Context, slice: string | undefined, { limit }: EventOptions): number {
  const oldest = events.list(slice, limit).at(-1);
  return oldest === undefined ? events.lastId() : oldest.id - 1;
}

function sliceNameOf({ store }: Context, argument: string | undefined): string | undefined {
  return argument === undefined ? undefined : sliceFromArgument(store, argument).name;
}

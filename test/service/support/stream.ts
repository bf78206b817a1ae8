/** Parses server-sent events. */
import type { EventView } from '../../../src/controller/views/status.ts';

export function textOf(chunk: Buffer | string | null): string {
  return chunk === null ? '' : String(chunk);
}

/** Returns the complete unnamed events in a stream's text. Their ids must match their `id:` lines. */
export function eventsIn(text: string): EventView[] {
  const blocks = text.split('\n\n').slice(0, -1);
  return blocks.flatMap((block) => {
    const lines = block.split('\n');
    const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    const data = field('data');
    if (data === undefined || field('event') !== undefined) return [];
    const event = JSON.parse(data) as EventView;
    if (field('id') !== String(event.id)) throw new Error(`event ${event.id} has the id ${field('id')}`);
    return [event];
  });
}

export function idsIn(text: string): number[] {
  return eventsIn(text).map(({ id }) => id);
}

import { isoInstant } from '../model/instant.ts';
import { oneLine } from '../slicefile/words.ts';
import type { StoredEvent } from '../store/events.ts';

/** Formats an event as one line, whatever its message contains. */
export function eventLine({ at, slice, kind, message }: StoredEvent): string {
  const heading = [isoInstant(at), (slice ?? '-').padEnd(8), kind.padEnd(20)].join('  ');
  return oneLine(`${heading}  ${message}`).trimEnd();
}

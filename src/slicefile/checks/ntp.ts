import { ntpServerPattern } from '../../model/ntp-server.ts';
import type { Draft } from '../draft.ts';
import { atValue, type Problem } from '../fault.ts';
import { quote } from '../words.ts';
import { repeats } from './references.ts';

/** Each time server is asked once. */
export function checkNtp({ ntp }: Draft): Problem[] {
  return repeats(ntp.entries, ({ name }) => keyOf(name)).map(({ item, first }) =>
    atValue(
      item.path,
      `NTP server ${quote(item.name)} is listed twice`,
      item.name === first.name ? 'each server is listed once' : `it is the same as ${quote(first.name)}`,
    ),
  );
}

/** Undefined for what is none: that is a fault already. */
function keyOf(text: string): string | undefined {
  const [, host, port = '123'] = ntpServerPattern.exec(text) ?? [];
  return host === undefined ? undefined : `${host.toLowerCase()}:${port}`;
}

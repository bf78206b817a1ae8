/** Looks into the user's ~/.ssh/config, for hints only: a host that `ssh` reaches may be an alias of the user's own. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readBoundedText } from '../model/bounded-file.ts';

const shown = { hostname: 'host', user: 'user', port: 'port', identityfile: 'key' } as const;

/**
 * Returns what a slice file needs instead of an alias, as in `host: node1.example.org, user: me`; undefined where no
 * `Host` line of the file names it. Ignores patterns and included files.
 */
export function aliasHint(host: string, path = join(homedir(), '.ssh', 'config')): string | undefined {
  const found = new Map<string, string>();
  let isMeant = false;
  let isAlias = false;
  for (const line of linesOf(path)) {
    const [, word = '', rest = ''] = /^\s*(\w+)(?:\s*=\s*|\s+)(.*?)\s*$/.exec(line) ?? [];
    const keyword = word.toLowerCase();
    if (keyword === 'host' || keyword === 'match') {
      isMeant = keyword === 'host' && rest.split(/\s+/).includes(host);
      isAlias ||= isMeant;
    } else if (isMeant && keyword === 'proxyjump') {
      found.set('jump', `it is reached through ${rest}, which is not supported yet`);
    } else if (isMeant && keyword in shown && !found.has(keyword)) {
      found.set(keyword, `${shown[keyword as keyof typeof shown]}: ${rest.replaceAll('%h', host)}`);
    }
  }
  if (!isAlias) return undefined;
  const { jump, ...keys } = Object.fromEntries(found) as Record<string, string>;
  const words = Object.values(keys);
  const what = words.length === 0 ? 'its host name' : `{ ${words.join(', ')} }`;
  return `it looks like an alias in ${path}, which pl-vnm does not read yet: write ${what} in the slice file${jump === undefined ? '' : ` (${jump})`}`;
}

function linesOf(path: string): string[] {
  try {
    return readBoundedText(path, { maxBytes: 1024 * 1024 }).split(/\r?\n/);
  } catch {
    return [];
  }
}

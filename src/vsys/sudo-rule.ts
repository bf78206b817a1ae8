/** The sudo rule by which a slice's login attaches to its agent on a shared node. It says who that login is. */

/** Returns the path of the sudo rule. `sudo` ignores files with a dot in their name, and slice names have none. */
export function rulePath(slice: string): string {
  return `/etc/sudoers.d/pl-vnm-${slice}`;
}

/** Names that sudo reads as a user and nothing else: aliases, and ALL, begin with a capital. */
export const loginPattern = /^[a-z_][A-Za-z0-9_.-]{0,31}$/;

/** Returns the logins that the text of a rule names. */
export function loginsOf(rule: string): string[] {
  return [...rule.matchAll(/^(\S+) ALL=/gm)].map(([, login]) => login!);
}

/** The keys of a login and of the way to a node that an import fills in. */

/** Keys of `ssh` and of a node alike. */
export const loginKeys = ['user', 'port', 'key'] as const;

/** Keys of `ssh`, and of `ssh` of a node. */
export const wayKeys = ['config', 'jump'] as const;

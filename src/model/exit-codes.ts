/** The exit codes of commands. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  invalidInput: 3,
  unreachable: 4,
  rolledBack: 5,
  rollbackIncomplete: 6,
  /** 128 plus the number of SIGINT, as in shells. */
  interrupted: 130,
} as const;

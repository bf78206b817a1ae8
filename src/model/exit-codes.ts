/** How a command of the command line ends (DESIGN: "Command line"). */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  invalidInput: 3,
  unreachable: 4,
  rolledBack: 5,
  rollbackIncomplete: 6,
  /** 128 and the number of SIGINT, as shells have it. */
  interrupted: 130,
} as const;

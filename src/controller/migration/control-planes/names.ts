/** The names of the ways, for options and results. */
export const controlPlaneNames = ['checkpoint', 'graceful', 'restart'] as const;

export type ControlPlaneName = (typeof controlPlaneNames)[number];

/** The names of the ways, for options and results. */
export const controlPlaneNames = ['graceful', 'restart'] as const;

export type ControlPlaneName = (typeof controlPlaneNames)[number];

export const usualControlPlane: ControlPlaneName = 'graceful';

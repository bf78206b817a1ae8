export const needed: string;
export function isRecent(version: string): boolean;

/** Largest packets that a VN may be told to carry; below 576 bytes IPv4 cannot be expected to work. */
export const mtuRange = [576, 9000] as const;

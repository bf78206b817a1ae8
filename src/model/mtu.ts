/** The MTUs that a VN may have, in bytes; IPv4 may not work below 576. */
export const mtuRange = [576, 9000] as const;

export type ReadonlyLines = readonly string[];

/** The OSPF tag of routes that a router took over from BGP (RFC 2328, section A.4.5). */
export const externalTag = 1;

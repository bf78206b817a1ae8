/**
 * Types of names that must not be confused: a node name is never a router name, though both are text. Any string can be
 * assigned to each type, but a name of one type cannot be assigned to another.
 */
declare const kind: unique symbol;
type NameOf<Kind extends string> = string & { readonly [kind]?: Kind };

export type NodeName = NameOf<'node'>;
export type RouterName = NameOf<'router'>;
export type GatewayName = NameOf<'gateway'>;
/** The name of a network namespace on a node. */
export type NamespaceName = NameOf<'namespace'>;

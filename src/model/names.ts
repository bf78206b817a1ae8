/**
 * Names that must not be mixed up: a node's is never a router's, though both are text. A text that comes from outside, or stands in the
 * code, is taken as any of them; one kind of name is not taken as another.
 */
declare const kind: unique symbol;
type NameOf<Kind extends string> = string & { readonly [kind]?: Kind };

export type NodeName = NameOf<'node'>;
export type RouterName = NameOf<'router'>;
export type GatewayName = NameOf<'gateway'>;
/** Of a network namespace on a node. */
export type NamespaceName = NameOf<'namespace'>;

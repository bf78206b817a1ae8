/** Virtual routers and their kinds. CONTRIBUTING.md says what a further kind takes. */
import type { RouterName } from './names.ts';

export interface Router {
  readonly name: RouterName;
  readonly kind: RouterKind;
  /** What the kind wants to know; nothing for `static`. */
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * All kinds, each with what a router of it does. A kind that runs something will say here, or in a file of its own, how a router is
 * started and stopped on its node, which state of it a migration brings along, and which facts of it are worth showing.
 */
const routerKinds = {
  static: 'forwards by the routes that the controller computes',
} as const satisfies Readonly<Record<string, string>>;

export type RouterKind = keyof typeof routerKinds;

export const routerKindNames = Object.keys(routerKinds) as RouterKind[];

export const defaultRouterKind: RouterKind = 'static';

export function isRouterKind(text: string): text is RouterKind {
  return Object.hasOwn(routerKinds, text);
}

export function routerNames({ routers }: { readonly routers: readonly Router[] }): RouterName[] {
  return routers.map(({ name }) => name);
}

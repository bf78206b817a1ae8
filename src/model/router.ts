/** Virtual routers and their kinds. CONTRIBUTING.md says how to add a kind. */
import type { RouterName } from './names.ts';

export interface Router {
  readonly name: RouterName;
  readonly kind: RouterKind;
  /** The settings of the kind; empty for `static`. */
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * All kinds, each with what its routers do. A kind that runs a program will define here, or in its own file, how to
 * start and stop a router on its node, which state a migration transfers, and which facts to show.
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

/** Virtual routers and their kinds. CONTRIBUTING.md says how to add a kind. */
import type { DaemonConfig, DaemonKind, RouterProgram } from './daemon.ts';
import type { ImageConfig } from './machine.ts';
import type { RouterName } from './names.ts';

export type Router = StaticRouter | SwitchRouter | DaemonRouter | ImageRouter;

interface StaticRouter {
  readonly name: RouterName;
  readonly kind: 'static';
  readonly config: Readonly<Record<string, never>>;
}

/** A router that forwards by OpenFlow entries. */
interface SwitchRouter {
  readonly name: RouterName;
  readonly kind: 'switch';
  readonly config: Readonly<Record<string, never>>;
}

/** A router with a routing daemon. */
export interface DaemonRouter {
  readonly name: RouterName;
  readonly kind: DaemonKind;
  readonly config: DaemonConfig;
}

/** A router that is a virtual machine: a black box, whose routes only its guest knows. */
export interface ImageRouter {
  readonly name: RouterName;
  readonly kind: 'image';
  readonly config: ImageConfig;
}

/** All kinds, each with what its routers do. */
const routerKinds = {
  static: 'forwards by the routes that the controller computes',
  frr: 'runs FRR, which learns its routes',
  bird: 'runs BIRD, which learns its routes',
  switch: 'runs Open vSwitch, which forwards by OpenFlow entries that the controller computes',
  image: 'is a virtual machine, started from an image',
} as const satisfies Readonly<Record<string, string>>;

export type RouterKind = keyof typeof routerKinds;

export const routerKindNames = Object.keys(routerKinds) as RouterKind[];

export const defaultRouterKind: RouterKind = 'static';

export function isRouterKind(text: string): text is RouterKind {
  return Object.hasOwn(routerKinds, text);
}

export function isDaemonRouter(router: Router): router is DaemonRouter {
  return router.kind === 'frr' || router.kind === 'bird';
}

/** Whether the router with this name is a switch. */
export function isSwitch({ routers }: { readonly routers: readonly Router[] }, name: RouterName): boolean {
  return routers.some((router) => router.name === name && router.kind === 'switch');
}

/** The program that a router runs in its namespace; undefined if it runs none, or is a machine. */
export function programOf({ kind }: Router): RouterProgram | undefined {
  if (kind === 'static' || kind === 'image') return undefined;
  return kind === 'switch' ? 'openvswitch' : kind;
}

/** The router with this name, or undefined if it is none with a routing daemon. */
export function daemonRouter(
  { routers }: { readonly routers: readonly Router[] },
  name: RouterName,
): DaemonRouter | undefined {
  return routers.filter(isDaemonRouter).find((router) => router.name === name);
}

export function isImageRouter(router: Router): router is ImageRouter {
  return router.kind === 'image';
}

/** The router with this name, or undefined if it is no virtual machine. */
export function imageRouter(
  { routers }: { readonly routers: readonly Router[] },
  name: RouterName,
): ImageRouter | undefined {
  return routers.filter(isImageRouter).find((router) => router.name === name);
}

/** Whether some router is a virtual machine, whose forwarding table only its guest knows. */
export function hasImages({ routers }: { readonly routers: readonly Router[] }): boolean {
  return routers.some(isImageRouter);
}

export function routerNames({ routers }: { readonly routers: readonly Router[] }): RouterName[] {
  return routers.map(({ name }) => name);
}

/** Two routers with BIRD that move one after the other, over nodes in memory. */
const nodes = ['n1', 'n2', 'n3', 'n4', 'gw1', 'gw2', 'h1', 'h2'];

export const twoLivingRouters = `
slice: small
vnet: 10.64.0.0/16
substrate:
  nodes: { ${nodes.map((name, index) => `${name}: { host: 192.0.2.${index + 1} }`).join(', ')} }
  latency: { default: 1 }
vn:
  name: vn
  routers: [{ name: a, kind: bird }, { name: b, kind: bird }]
  routing: { protocol: ospf, hello: 1, dead: 2 }
  links: [[a, b, 10]]
  gateways: { g1: { node: gw1, router: a }, g2: { node: gw2, router: b } }
  endHosts: { e1: { node: h1, gateway: g1 }, e2: { node: h2, gateway: g2 } }
placements: { initial: { a: n1, b: n2 }, final: { a: n3, b: n4 } }
`;

/** The phases of each of them. */
export const livingPhases = [
  'set up',
  'clone',
  'prove',
  'move control plane',
  'flip',
  'converge',
  'verify',
  'drain',
  'retire',
] as const;

/** The requests that carry a daemon, in their order; the last one says that it has moved. */
export const carryingRequests = [
  'daemon_dump',
  'daemon_image_read',
  'daemon_image_write',
  'daemon_restore',
  'daemon_settle',
] as const;

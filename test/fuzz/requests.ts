/** Requests of the protocol: mostly well-formed, with hostile values here and there. */
import fc from 'fast-check';
import type { Method } from '../../src/vsys/messages.ts';
import type { OperationName } from '../../src/vsys/operations.ts';
import { damage, damaged, junk, mostly } from './hostile-values.ts';

const interfaces = mostly(['pv001-0l0a', 'pv001-e0g', 'pv001-x'], ['eth0', 'lo', 'pv002-0l0a', 'pv0010', 'pv001']);
const namespaces = mostly(['pv-a_0-x', 'pv-a_f-y'], ['pv-b_0-x', 'default', 'pv-a', 'pv-ab_0-x']);
const addresses = mostly(
  ['10.65.0.1', '10.65.255.255', '10.65.0.0'],
  ['10.66.0.1', '10.64.255.255', '0.0.0.0', '8.8.8.8'],
);
const remotes = mostly(
  ['192.0.2.7', '198.51.100.1', '10.64.0.1'],
  ['10.65.0.1', '10.66.0.1', '127.0.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '172.20.200.1', '172.20.1.1'],
);
const prefixes = mostly(
  ['10.65.0.0/16', '10.65.9.0/24', '10.65.255.255/32'],
  ['0.0.0.0/0', '10.64.0.0/15', '10.66.0.0/24', '10.65.0.1/16', '10.65.0.0/8'],
);
const nexthopIds = mostly([65_536, 65_537, 131_071], [1, 65_535, 131_072, 4_294_967_295]);
const vnis = mostly([4096, 8191], [4095, 8192, 1, 16_777_215]);
const macs = mostly(['02:50:0a:41:00:01'], ['ff:ff:ff:ff:ff:ff', '02:50']);
const ports = mostly([1024, 4789, 65_535], [0, 1, 1023, 65_536, -1, 1.5]);
const servicePorts = mostly([1, 53, 65_535], [0, 65_536]);
const modes = mostly(['strict', 'feasible', 'loose'], ['off']);
const mtus = mostly([576, 1450, 65_535], [0, 575, 65_536]);
const ids = mostly(['a', 'b', 'm5d0a6c1f2b37', '-'], ['A', 'a b']);
const commandIds = mostly(['1b4e28ba-2fa1-4d2b-983f-2a5b4e6c7d8e'], ['', '1']);
const flags = mostly([true, false]);
const digests = mostly(['0'.repeat(64), 'ab'.repeat(32)], ['', '../x', 'F'.repeat(64), 'x'.repeat(64)]);

const end = fc.record({ interface: interfaces, namespace: namespaces }, { requiredKeys: ['interface'] });

const routeFields = {
  action: mostly(['add', 'delete'], ['replace']),
  type: mostly(['unicast', 'blackhole', 'unreachable', 'prohibit'], ['local', 'throw']),
  nexthops: fc.array(
    fc.record(
      { interface: interfaces, via: addresses, weight: mostly([1, 256], [0, 257]) },
      { requiredKeys: ['interface'] },
    ),
    { maxLength: 3 },
  ),
  nexthopId: nexthopIds,
  metric: mostly([0, 4_294_967_295], [-1, 4_294_967_296]),
  source: addresses,
};
const flowEntries = fc.array(
  fc.record(
    {
      in: interfaces,
      source: prefixes,
      destination: prefixes,
      output: fc.record({ interface: interfaces, sender: macs, receiver: macs }),
    },
    { requiredKeys: ['destination', 'output'] },
  ),
  { minLength: 1, maxLength: 2 },
);

/** Whose ports are those that its entries name. */
const switchConfig = flowEntries.map((entries) => {
  const names = new Set(
    entries.flatMap(({ in: port, output }) => [...(port === undefined ? [] : [port]), output.interface]),
  );
  return JSON.stringify({ ports: [...names].map((name, index) => ({ interface: name, number: index + 1 })), entries });
});

/** One row per operation; the compiler checks that none is missing. */
const operations: { readonly [Name in OperationName]: fc.Arbitrary<object> } = {
  netns_up: fc.record({ namespace: namespaces, urpf: modes }),
  netns_down: fc.record({ namespace: namespaces }),
  tunnel_up: fc.oneof(
    merged(end, {
      kind: fc.constant('vxlan'),
      mac: macs,
      mtu: mtus,
      vni: vnis,
      remote: remotes,
      alsoFrom: fc.option(remotes, { nil: undefined }),
      local: fc.option(remotes, { nil: undefined }),
      alsoMac: fc.option(macs, { nil: undefined }),
      port: ports,
      gateable: flags,
    }),
    merged(end, {
      kind: fc.constant('udp'),
      mtu: mtus,
      vni: vnis,
      instance: mostly([0, 65_535], [-1, 65_536]),
      key: mostly(['0123456789abcdef', 'ff'.repeat(32)], ['', '0', 'xy'.repeat(8)]),
      remote: remotes,
      alsoFrom: fc.option(fc.record({ address: remotes, port: ports }), { nil: undefined }),
      port: ports,
      gateable: flags,
    }),
    merged(end, {
      kind: fc.constant('local'),
      mac: macs,
      mtu: mtus,
      peer: merged(end, { mac: macs }),
      gateable: flags,
    }),
  ),
  tunnel_down: end,
  vif_up: fc.record(
    {
      interface: interfaces,
      namespace: namespaces,
      address: addresses,
      peer: fc.record({ address: addresses, mac: macs }),
      urpf: modes,
      pointToPoint: flags,
    },
    { requiredKeys: ['interface', 'address', 'peer'] },
  ),
  vif_down: merged(end, { address: addresses }),
  vroute: fc.record(
    { ...routeFields, namespace: namespaces, prefix: prefixes },
    { requiredKeys: ['action', 'prefix'] },
  ),
  vroutes: fc.record(
    {
      ...routeFields,
      namespace: namespaces,
      prefixes: fc
        .array(prefixes, { minLength: 1, maxLength: 3 })
        .map((some) => some.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join(' ')),
    },
    { requiredKeys: ['action', 'namespace', 'prefixes'] },
  ),
  nexthop_up: fc.record({ id: nexthopIds, via: addresses, interface: interfaces }),
  nexthop_down: fc.record({ id: nexthopIds }),
  group_up: fc.record({
    id: nexthopIds,
    members: fc.array(nexthopIds, { minLength: 1, maxLength: 3 }),
    active: nexthopIds,
    resilient: flags,
  }),
  group_down: fc.record({ id: nexthopIds }),
  rule_up: fc.constant({}),
  rule_down: fc.constant({}),
  gate_up: fc.record({ interface: interfaces, limitBytes: mostly([2048, 1_000_000_000], [0, 2047, 1e12]) }),
  gate_down: fc.record({ interface: interfaces }),
  forward_up: fc.oneof(
    fc.record({
      side: fc.constant('listen'),
      localPort: ports,
      address: addresses,
      to: fc.record({ address: addresses, port: servicePorts }),
    }),
    fc.record({ side: fc.constant('deliver'), address: addresses, port: servicePorts }),
  ),
  forward_down: fc.oneof(
    fc.record({ side: fc.constant('listen'), localPort: ports }),
    fc.record({ side: fc.constant('deliver'), address: addresses, port: servicePorts }),
  ),
  daemon_up: fc.oneof(
    fc.record({ namespace: namespaces, kind: fc.constant('openvswitch'), config: switchConfig }),
    fc.record(
      {
        namespace: namespaces,
        kind: mostly(['bird', 'frr'], ['sh', '']),
        protocols: fc.array(mostly(['ospf', 'bgp'], ['pim']), { maxLength: 3 }),
        config: mostly(['', '# nothing\n'], ['\0', 'x'.repeat(1_048_577)]),
        graceful: mostly([true, false], ['yes']),
      },
      { requiredKeys: ['namespace', 'kind', 'config'] },
    ),
  ),
  daemon_down: fc.record({ namespace: namespaces }),
  daemon_leave: fc.record({ namespace: namespaces }),
  control_up: fc.record(
    { namespace: namespaces, sendTo: remotes, gate: mostly(['none', 'closed', 'open'], ['ajar', null]) },
    { requiredKeys: ['namespace'] },
  ),
  control_down: fc.record({ namespace: namespaces }),
  machine_up: fc.record(
    {
      namespace: namespaces,
      image: digests,
      memoryMib: mostly([16, 128, 1_048_576], [0, 15, 1.5]),
      console: mostly(['log', 'none'], ['vga']),
      mtu: mtus,
      ports: fc.array(
        fc.record({
          interface: interfaces,
          mac: macs,
          address: addresses,
          peer: fc.record({ address: addresses, mac: macs }),
        }),
        { maxLength: 3 },
      ),
      files: mostly([{}, { 'meta-data': 'a: b' }], [{ '../x': '' }, { '': '' }, { x: 'x'.repeat(1_048_577) }]),
      state: mostly(['open', 'closed', 'leaving'], ['ajar']),
    },
    { requiredKeys: ['namespace', 'image', 'memoryMib', 'console', 'mtu', 'ports', 'files'] },
  ),
  machine_down: fc.record({ namespace: namespaces }),
};

const anOperation = fc.oneof(
  ...Object.entries(operations).map(([op, fields]) => fields.map((rest) => ({ op, ...rest }))),
  { weight: 1, arbitrary: mostly(['reboot', '__proto__', 'hello', '']).map((op) => ({ op })) },
);

const tickets = mostly([1, 2], [0, 'x']);
const groups = fc.array(fc.record({ id: nexthopIds, active: nexthopIds }), { minLength: 1, maxLength: 3 });
const offsets = mostly([0, -49.2, 60_000], [60_001, -60_001]);
const anAction = fc.oneof(
  fc.record({ kind: fc.constant('redirect'), offsetMs: offsets, groups }),
  fc.record({ kind: mostly(['gate_close', 'gate_open'], ['reboot']), offsetMs: offsets, interface: interfaces }),
  fc.record({ kind: fc.constant('flow'), offsetMs: offsets, namespace: namespaces, entries: flowEntries }),
  fc.record({
    kind: fc.constant('neighbour'),
    offsetMs: offsets,
    interface: interfaces,
    address: addresses,
    mac: macs,
  }),
);

/** One row per method. */
const parameters: { readonly [M in Method]: fc.Arbitrary<unknown> } = {
  hello: fc.constant({}),
  apply: fc.record(
    {
      operations: fc.array(anOperation, { maxLength: 4 }),
      dryRun: flags,
      repair: flags,
      confirmWithinMs: mostly([100, 600_000], [99, 600_001]),
      ticket: tickets,
    },
    { requiredKeys: ['operations'] },
  ),
  claim: fc.record(
    { vn: mostly(['office', 'A_1'], ['', '-', 'a b']), after: mostly([0, 1], [-1, 0.5]) },
    { requiredKeys: ['after'] },
  ),
  confirm: fc.record({ token: mostly(['1b4e28ba-2fa1-4d2b-983f-2a5b4e6c7d8e'], ['', 'x']) }),
  collisions: fc.constant({}),
  inventory: fc.constant({}),
  counters: fc.constant({}),
  routes: fc.record(
    { namespace: namespaces, packed: flags, unless: mostly(['0'.repeat(64)], ['', 'x'.repeat(64)]) },
    { requiredKeys: [] },
  ),
  daemon_state: fc.record({ namespace: namespaces }),
  daemon_dump: fc.record({ namespace: namespaces, ticket: tickets }, { requiredKeys: ['namespace'] }),
  daemon_image_read: fc.record(
    { namespace: namespaces, offset: mostly([0, 1], [-1, 0.5]), bytes: mostly([1, 8_388_608], [0, 8_388_609]) },
    { requiredKeys: ['namespace', 'offset'] },
  ),
  daemon_image_write: fc.record({
    namespace: namespaces,
    offset: mostly([0, 1], [-1, 268_435_457]),
    data: mostly(['', 'AAAA'], [0, null]),
  }),
  daemon_restore: fc.record({
    namespace: namespaces,
    bytes: mostly([1], [0]),
    sha256: mostly(['0'.repeat(64)], ['', 'x'.repeat(64)]),
  }),
  daemon_settle: fc.record({ namespace: namespaces, outcome: mostly(['moved', 'stayed'], ['', 'gone']) }),
  machine_copy: fc.record(
    { namespace: namespaces, how: mostly(['running', 'suspend', 'live'], ['', 'all']), ticket: tickets },
    { requiredKeys: ['namespace', 'how'] },
  ),
  machine_copy_read: fc.record(
    { namespace: namespaces, offset: mostly([0, 1], [-1, 0.5]), compress: flags },
    { requiredKeys: ['namespace', 'offset'] },
  ),
  machine_copy_write: fc.record(
    {
      namespace: namespaces,
      offset: mostly([0, 1], [-1, 0.5]),
      data: mostly(['', 'AAAA'], [0, null]),
      compressed: flags,
      ticket: tickets,
    },
    { requiredKeys: ['namespace', 'offset', 'data'] },
  ),
  machine_go_on: fc.record({ namespace: namespaces, ticket: tickets }, { requiredKeys: ['namespace'] }),
  image_state: fc.record({ digest: digests }),
  image_write: fc.record({
    digest: digests,
    total: mostly([1, 4_294_967_296], [0, 4_294_967_297]),
    offset: mostly([0, 1], [-1, 0.5]),
    data: mostly(['', 'AAAA'], [0, null]),
  }),
  console: fc.record({ namespace: namespaces }),
  console_log: fc.record({ namespace: namespaces }),
  neighbour_events: fc.record({ namespace: namespaces }),
  obstacles: fc.record({ port: fc.integer({ min: 1, max: 65_535 }) }),
  path_mtu: fc.record({ remotes: fc.array(remotes, { maxLength: 3 }) }),
  redirect: fc.record({ groups }),
  arm: fc.record({
    id: ids,
    at: mostly([1_700_000_000_000, 1e308, 0.001], [0, -1]),
    actions: fc.array(anAction, { minLength: 1, maxLength: 3 }),
    dryRun: flags,
  }),
  cancel: fc.record({ id: ids }),
  armed_results: fc.record({ id: ids, forget: flags }, { requiredKeys: ['id'] }),
  timer_lag: fc.record({ samples: mostly([1, 1000], [0, 1001]) }),
  clock: fc.constant({}),
  utc: fc.record({
    ntpServers: fc.array(
      mostly(['192.0.2.1:123', 'ntp.example.org', '10.66.0.1', '0x0a42ff01:9999', '10.66.257', '169.254.0.1']),
      { maxLength: 9 },
    ),
  }),
  stream_open: fc.record(
    { stream: ids, address: addresses, sender: addresses, bufferBytes: fc.integer({ min: -1, max: 2 ** 25 }) },
    { requiredKeys: ['stream', 'address'] },
  ),
  stream_send: fc.record(
    {
      stream: ids,
      from: addresses,
      to: addresses,
      port: ports,
      payloadBytes: mostly([24, 65_000], [23, 65_001]),
      rateBps: mostly([1e6, 1e11, 5e-324], [0, 1e12]),
      count: mostly([1, 100_000_000], [0, 1e9]),
    },
    { requiredKeys: ['stream', 'from', 'to', 'port', 'payloadBytes', 'rateBps'] },
  ),
  stream_stop: fc.record({ stream: ids }),
  stream_report: fc.record(
    {
      stream: ids,
      close: flags,
      until: fc.record({ packets: mostly([0, 1], [-1, 1.5]), quietMs: mostly([0, 50], [-1, 60_001]) }),
    },
    { requiredKeys: ['stream'] },
  ),
  reach: fc.record({
    from: addresses,
    to: fc.array(addresses, { minLength: 1, maxLength: 3 }),
    timeoutMs: mostly([2000, 5e-324], [0, 60_001]),
  }),
  packet_sizes: fc.record({
    probes: fc.array(
      fc.record({ namespace: namespaces, from: addresses, to: addresses }, { requiredKeys: ['from', 'to'] }),
      { minLength: 1, maxLength: 3 },
    ),
    smallest: mostly([64, 576], [63, 65_536]),
    largest: mostly([64, 1500, 65_535], [63, 65_536]),
    timeoutMs: mostly([2000, 5e-324], [0, 60_001]),
  }),
  watch: fc.record({
    id: ids,
    from: addresses,
    intervalMs: mostly([50, 1000, 10_000], [0, 49, 10_001]),
    timeoutMs: mostly([10, 500, 10_000], [0, 10_001]),
    targets: fc.array(
      fc.record(
        { name: mostly(['r1', 'g1/g2', 'A.b:c'], ['', '-r', 'a b']), to: addresses, port: ports },
        { requiredKeys: ['name', 'to'] },
      ),
      { maxLength: 3 },
    ),
  }),
  watch_report: fc.constant({}),
  watch_stop: fc.record({ id: ids }),
  exec: fc.record(
    {
      namespace: namespaces,
      command: fc.array(mostly(['true', 'a b', ''], ['-x', 'a\0b']), { minLength: 1, maxLength: 3 }),
      terminal: fc.record({
        rows: mostly([1, 9999], [0, 10_000]),
        columns: mostly([1, 9999], [0, 1.5]),
        type: mostly(['xterm-256color', 'vt100'], ['', '$(id)', 'a;b', 'x\n']),
      }),
    },
    { requiredKeys: ['namespace', 'command'] },
  ),
  capture: fc.record(
    {
      namespace: namespaces,
      interface: interfaces,
      snaplen: mostly([64, 262_144], [63, 262_145]),
      count: mostly([1, 1_000_000_000], [0, 1e10]),
    },
    { requiredKeys: ['interface', 'snaplen'] },
  ),
  exec_write: fc.record(
    { id: commandIds, data: mostly(['', 'QUJD'], ['?', 'x'.repeat(400_000)]), end: flags },
    { requiredKeys: ['id', 'data'] },
  ),
  exec_read: fc.record({ id: commandIds }),
  exec_signal: fc.record({ id: commandIds, signal: mostly(['INT', 'TERM', 'KILL'], ['STOP', 9]) }),
  shutdown: fc.constant({}),
};

function merged(base: fc.Arbitrary<object>, fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<object> {
  return fc.tuple(base, fc.record(fields)).map(([a, b]) => ({ ...a, ...b }));
}

export interface RequestBody {
  readonly method: unknown;
  readonly params?: unknown;
}

const wellFormed: fc.Arbitrary<RequestBody> = fc.oneof(
  ...Object.entries(parameters).map(([method, params]) => ({
    weight: method === 'apply' ? 8 : 1,
    arbitrary: params.map((value) => ({ method, params: value })),
  })),
);
const wrongMethods = [
  '',
  'Apply',
  'apply ',
  'apply\n',
  '__proto__',
  'constructor',
  'toString',
  '$/x',
  'x'.repeat(10_000),
];

export const aRequest: fc.Arbitrary<RequestBody> = fc.oneof(
  { weight: 12, arbitrary: wellFormed },
  {
    weight: 4,
    arbitrary: fc
      .tuple(wellFormed, damage)
      .map(([{ method, params }, how]) => ({ method, params: damaged(params, how) })),
  },
  { weight: 1, arbitrary: fc.record({ method: fc.constantFrom(...wrongMethods), params: junk }) },
  { weight: 1, arbitrary: fc.tuple(wellFormed, junk).map(([{ method }, params]) => ({ method, params })) },
  { weight: 1, arbitrary: wellFormed.map(({ method }) => ({ method })) },
);

import { describe, expect, it } from 'vitest';
import { valuesIn } from '../../src/experiment/file/combinations.ts';
import { describeParameters, sliceWith, variedIn } from '../../src/experiment/parameters/index.ts';
import { perNode } from '../../src/experiment/parameters/per-gateway.ts';
import { parameterRow } from '../../src/experiment/results/columns.ts';
import { declaredLatencyMs } from '../../src/model/slice.ts';
import { changed, check, faultsOf, goodExperiment, noImage, parsed } from './support/files.ts';

describe('a good experiment file', () => {
  it('has every combination of what varies, with the fixed and the usual values', () => {
    const { experiment } = parsed();
    expect(experiment).toMatchObject({
      name: 'good',
      vn: 'two',
      from: 'initial',
      to: 'final',
      repetitions: 3,
      seed: 1,
      traffic: { by: 'built-in' },
    });
    const common = { method: 'instance', granularity: 'gateway', urpf: 'strict', direction: 'forth' };
    expect(experiment.combinations).toEqual([
      { number: 1, parameters: { ...common, control: 'remote', D: 0 } },
      { number: 2, parameters: { ...common, control: 'remote', D: 200 } },
      { number: 3, parameters: { ...common, control: 'gateway', D: 0 } },
      { number: 4, parameters: { ...common, control: 'gateway', D: 200 } },
    ]);
  });

  it('may list combinations, each of which gets all values of what varies', () => {
    const text = changed(
      'vary:\n  control: [remote, gateway]\n  D: [0, 200]\n',
      'vary: { direction: [forth, back] }\ncombinations:\n  - { control: remote }\n  - { schedule: drain }\n',
    );
    const { combinations } = parsed(text).experiment;
    expect(
      combinations.map(({ parameters: { control, schedule, direction } }) => [control, schedule, direction]),
    ).toEqual([
      ['remote', 'optimal', 'forth'],
      ['remote', 'optimal', 'back'],
      ['gateway', 'drain', 'forth'],
      ['gateway', 'drain', 'back'],
    ]);
  });

  it('may vary a number over a range', () => {
    const { combinations } = parsed(changed('[0, 200]', '{ from: -0.2, to: 0.4, step: 0.1 }')).experiment;
    expect(combinations.slice(0, 7).map(({ parameters }) => parameters.D)).toEqual([-0.2, -0.1, 0, 0.1, 0.2, 0.3, 0.4]);
    expect(valuesIn({ from: 0, to: 10, step: 4 })).toEqual([0, 4, 8]);
  });

  it('may define latencies and vary them', () => {
    const text = changed(
      'fixed:',
      'latencies: { far: { default: 50, links: [[n1, n2, 7, 8]] }, near: { default: 1 } }\nfixed:',
    ).replace('control: [remote, gateway]', 'latencies: [near, far]\n  latencyFactor: [2]');
    const { experiment } = parsed(text);
    const { slice } = sliceWith(experiment, experiment.combinations.at(-1)!.parameters);
    expect(declaredLatencyMs(slice.latency, 'n2', 'n1')).toBe(16);
    expect(declaredLatencyMs(slice.latency, 'gw1', 'n1')).toBe(100);
  });

  it('may give each gateway conditions of its own, also next to a range', () => {
    const text = changed(
      'D: [0, 200]',
      'gatewayLoad: [2, { g2: 4, g1: 1 }]\n  controlDelayMs: { from: 0, to: 20, step: 10 }',
    );
    const { combinations } = parsed(text).experiment;
    expect(combinations).toHaveLength(2 * 2 * 3);
    expect(variedIn(combinations)).toEqual(['control', 'gatewayLoad', 'controlDelayMs']);
    const last = combinations.at(-1)!;
    expect(describeParameters(last.parameters, variedIn(combinations))).toBe(
      'control gateway, gatewayLoad g1=1 g2=4, controlDelayMs 20',
    );
    expect(parameterRow(last)).toMatchObject({ gateway_load: 'g1=1 g2=4', control_delay_ms: 20 });
  });

  it('has one combination if nothing varies', () => {
    expect(parsed('experiment: x\nslice: two-node.yaml\nrepetitions: 1\n').experiment.combinations).toHaveLength(1);
  });

  it('keeps the texts that it was read from', () => {
    expect(parsed().sources).toMatchObject({ file: 'good.yaml', text: goodExperiment, sliceFile: 'two-node.yaml' });
  });
});

describe('a faulty experiment file', () => {
  it.each([
    ['an unknown key', ['fixed:', 'fixd:'], "4:1: unknown key 'fixd' (did you mean 'fixed'?)"],
    ['an unknown parameter', ['urpf:', 'rpf:'], "4:10: unknown key 'rpf' (did you mean 'urpf'?)"],
    [
      'an unknown value',
      ['[remote, gateway]', '[remote, gatway]'],
      "6:21: vary.control[1]: expected one of gateway, remote, fresh-ssh, at, found 'gatway' (who times the redirections: gateway, remote, fresh-ssh, at)",
    ],
    [
      'a missing key',
      ['repetitions: 3\n', ''],
      "1:1: 'repetitions' is missing (how often each combination is repeated, 1 to 100000)",
    ],
    [
      'too many repetitions',
      ['3', '1000000'],
      '3:14: repetitions: 1000000 is too big (how often each combination is repeated, 1 to 100000)',
    ],
    [
      'a number in quotes',
      ['[0, 200]', '[0, "200"]'],
      "7:10: vary.D[1]: expected a number, found '200' (write it without quotes: 200)",
    ],
    ['a value twice', ['[0, 200]', '[0, 0]'], '7:10: vary.D[1]: the same value twice (raise repetitions to repeat it)'],
    [
      'a range the wrong way round',
      ['[0, 200]', '{ from: 2, to: 1, step: 1 }'],
      '7:21: vary.D.to: 1 is less than from (give the first value as from)',
    ],
    [
      'a range with values that the parameter cannot have',
      ['[0, 200]', '{ from: 0, to: 70000, step: 35000 }'],
      '7:6: vary.D: the range contains 70000 (ms from',
    ],
    [
      'a parameter that is fixed and varies',
      ['{ urpf: strict }', '{ urpf: strict, D: 0 }'],
      '4:24: D is also in vary (keep one of the two)',
    ],
    [
      'too many combinations',
      ['[0, 200]', '{ from: 0, to: 60000, step: 1 }'],
      '5:1: 120002 combinations (at most 10000; vary less, or list combinations)',
    ],
    [
      'a combination twice',
      ['vary:', 'combinations: [{ schedule: hold }, { schedule: hold }]\nvary:'],
      '5:36: combinations[1]: the same combination twice (raise repetitions to repeat it)',
    ],
    [
      'seconds without iperf3',
      ['fixed:', 'trafficSeconds: 10\nfixed:'],
      '4:1: trafficSeconds is for iperf3 only (remove it, or write traffic: iperf3; the built-in',
    ],
    [
      'a stop rule for an unknown value',
      ['fixed:', 'stop: { value: los_packets, narrowerThan: 5% }\nfixed:'],
      "4:16: stop.value: unknown measured value 'los_packets' (did you mean 'lost_packets'?)",
    ],
    [
      'a stop rule without percent',
      ['fixed:', 'stop: { value: lost_packets, narrowerThan: 5 }\nfixed:'],
      '4:44: stop.narrowerThan: expected a percentage, found the number 5',
    ],
    [
      'a stop rule of 0 %',
      ['fixed:', 'stop: { value: lost_packets, narrowerThan: 0% }\nfixed:'],
      "4:44: stop.narrowerThan: '0%' is not a percentage (more than 0, like 5%)",
    ],
    ['an unknown VN', ['fixed:', 'vn: tow\nfixed:'], "4:5: vn: unknown VN 'tow' (did you mean 'two'?)"],
    [
      'an unknown placement',
      ['fixed:', 'to: finall\nfixed:'],
      "4:5: to: unknown placement 'finall' (did you mean 'final'?)",
    ],
    [
      'placements that are the same',
      ['fixed:', 'to: initial\nfixed:'],
      '4:5: to: both placements are the same: nothing would move',
    ],
    [
      'a slice file that does not exist',
      ['two-node', 'tow-node'],
      "2:8: slice: cannot use 'tow-node.yaml': cannot read the slice file",
    ],
    [
      'D with three gateways',
      ['two-node', 'three-node'],
      "5:1: the combination (control remote, D 0) is impossible: D is for two gateways, and VN 'three' has 3",
    ],
    [
      'D with a schedule',
      ['urpf: strict', 'urpf: strict, schedule: optimal'],
      '5:1: the combination (control remote, D 0) is impossible: D replaces the schedule; it has no other',
    ],
    ['D without a migration', ['urpf: strict', 'method: none'], 'method none redirects no gateway, so it has no D'],
    ['a VN that the slice does not have', ['urpf: strict', 'vn: tow'], "the slice has no VN 'tow', only two"],
    ['memory without virtual machines', ['urpf: strict', 'memory: 64'], "VN 'two' has no virtual machines"],
    ['D with vroom', ['urpf: strict', 'method: vroom'], 'method vroom redirects no gateway, so it has no D'],
    [
      'rate and packetRate',
      ['urpf: strict', 'rate: 1Mbps, payload: 100, packetRate: 100'],
      'rate and packetRate say the same',
    ],
    ['packetRate without payload', ['urpf: strict', 'packetRate: 100'], 'packetRate needs a payload'],
    [
      'latencies that the file does not define',
      ['urpf: strict', 'latencies: far'],
      "the file defines no latencies, not 'far'",
    ],
    [
      'latencies of unknown nodes',
      ['fixed:', 'latencies: { far: { links: [[n1, n22, 5]] } }\nfixed:'],
      "4:34: latencies.far.links[0][1]: unknown node 'n22' (did you mean 'n2'?)",
    ],
    [
      'a condition of an unknown gateway',
      ['urpf: strict', 'gatewayLoad: { g1: 1, g3: 2 }'],
      "4:32: unknown gateway 'g3' (known gateways: g1, g2)",
    ],
    [
      'a condition of an unknown gateway in a list',
      ['[0, 200]', '[0]\n  controlDelayMs: [5, { g2: 5 }, { gx: 5 }]'],
      "8:36: unknown gateway 'gx' (known gateways: g1, g2)",
    ],
    [
      'a condition of no gateway',
      ['urpf: strict', 'controlJitterMs: {}'],
      '4:27: fixed.controlJitterMs: no gateway is named',
    ],
    [
      'a condition that is too large for one gateway',
      ['urpf: strict', 'gatewayLoad: { g1: 65 }'],
      '4:29: fixed.gatewayLoad.g1: 65 is too big',
    ],
    [
      'a condition in words',
      ['urpf: strict', 'gatewayLoad: high'],
      "4:23: fixed.gatewayLoad: expected a number, found 'high' (busy loops on each gateway's node",
    ],
    [
      'the same conditions twice',
      ['[0, 200]', '[0]\n  gatewayLoad: [{ g1: 1, g2: 2 }, { g2: 2, g1: 1 }]'],
      '8:35: vary.gatewayLoad[1]: the same value twice',
    ],
    [
      'more prefixes than the subnet has',
      ['urpf: strict', 'prefixes: 100000'],
      "the subnet of slice 'two' has room for 65512 prefixes, not for 100000",
    ],
  ] as const)('%s is a fault', (_, [from, to], expected) => {
    expect(faultsOf(changed(from, to)).join('\n')).toContain(expected);
  });

  it('a method that does not support an option is a fault of the explicit combination', () => {
    const text = changed(
      'vary:\n  control: [remote, gateway]\n  D: [0, 200]\n',
      'combinations:\n  - { method: vroom }\n  - { method: vroom, control: remote }\n',
    );
    expect(faultsOf(text)).toEqual([
      'good.yaml:7:5: combinations[1]: the combination (control remote) is impossible: method vroom redirects no gateway, so it has no --control remote',
    ]);
  });

  it('all faults are reported at once', () => {
    expect(faultsOf('experiment: a b\nslice: 1\nrepetitions: 0\nfixed: { D: x }\n')).toHaveLength(4);
  });

  it('the faults of the slice file have its own name and positions', () => {
    const around = { slice: () => ({ text: 'slice: two\n', file: 'two.yaml' }), config: () => '', image: noImage };
    const checked = check(goodExperiment, around);
    expect('faults' in checked && checked.faults[0]).toMatchObject({ file: 'two.yaml', line: 1 });
  });

  it('latencies cannot vary where nodes have a host', () => {
    const text =
      'slice: two\nvnet: 10.64.0.0/16\nsubstrate: { nodes: { a: { host: a.example.org }, b: {}, c: {}, g: {}, h: {} } }\nvn: { name: two, routers: [r], gateways: { g1: { node: g, router: r }, g2: { node: c, router: r } }, endHosts: { e1: { node: h, gateway: g1 }, e2: { node: a, gateway: g2 } }, flows: [{ from: e1, to: e2, rate: 1Mbps }] }\nplacements: { initial: { r: a }, final: { r: b } }\n';
    const around = { slice: () => ({ text, file: 'two.yaml' }), config: () => '', image: noImage };
    const checked = check(changed('urpf: strict', 'latencyFactor: 2'), around);
    expect('faults' in checked && checked.faults.map(({ message }) => message)).toContainEqual(
      expect.stringContaining("slice 'two' has nodes with a host, whose latencies are as they are"),
    );
  });
});

it('of several gateways on a node the largest value counts, and a node without load is left out', () => {
  const { experiment } = parsed();
  const vn = experiment.slice.vns[0]!;
  const [first, second] = vn.gateways;
  const together = { ...vn, gateways: [first!, { ...second!, node: first!.node }] };
  expect([...perNode({ g1: 2, g2: 5 }, together)]).toEqual([[first!.node, 5]]);
  expect([...perNode({ g2: 5 }, vn)]).toEqual([[second!.node, 5]]);
  expect([...perNode(0, vn)]).toEqual([]);
});

describe('a slice with several VNs', () => {
  const both = 'vn: red\nrepetitions: 3\nfixed: { method: none }\nvary: { vn: [red, blue] }\n';

  it('may have runs with each of them', () => {
    const { experiment } = parsed(`experiment: both\nslice: shared-nodes.yaml\n${both}`);
    const names = experiment.combinations.map(({ parameters }) => sliceWith(experiment, parameters).vn.name);
    expect(names).toEqual(['red', 'blue']);
    expect(experiment.combinations[0]!.parameters).not.toHaveProperty('schedule');
  });

  it('needs the placements in all of them that have runs', () => {
    const text = `experiment: both\nslice: shared-nodes.yaml\nto: finale\n${both}`;
    expect(faultsOf(text)).toEqual([expect.stringContaining("to: unknown placement 'finale'")]);
  });

  it('needs the name of one', () => {
    expect(faultsOf(changed('two-node', 'shared-nodes'))).toEqual([
      expect.stringMatching(/2:8: slice: the slice has several VNs \(add vn: one of /),
    ]);
  });
});

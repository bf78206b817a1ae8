/**
 * The configuration of BIRD 2.0. All protocols share BIRD's main table; the kernel protocol puts its routes into the
 * main table of the router's namespace.
 */
import { externalTag, type ReadonlyLines } from './common.ts';
import type { Speaker } from './speaker.ts';

/** Preference of routes from other autonomous systems: above OSPF's 150, as in FRR. */
const externalPreference = 160;

/** Returns the lines; the user's own statements come last. */
export function birdConfig(speaker: Speaker): ReadonlyLines {
  return [
    'log stderr all;',
    `router id ${speaker.id};`,
    '',
    'protocol device {',
    '  scan time 10;',
    '}',
    '',
    ...directLines(speaker),
    ...staticLines(speaker),
    ...kernelLines(),
    ...ospfLines(speaker),
    ...bgpLines(speaker),
  ];
}

/** The subnets of the router's own links, so that every address of the instance can be probed. */
function directLines({ interfaces }: Speaker): ReadonlyLines {
  if (interfaces.length === 0) return [];
  return [
    'protocol direct links {',
    '  ipv4;',
    `  interface ${interfaces.map((name) => `"${name}"`).join(', ')};`,
    '}',
    '',
  ];
}

function staticLines({ endHosts }: Speaker): ReadonlyLines {
  return [
    'protocol static end_hosts {',
    '  ipv4;',
    ...endHosts.map(({ prefix, via }) => `  route ${prefix} via ${via};`),
    '}',
    '',
  ];
}

/** `graceful restart`: the forwarding entries stay while BIRD restarts, until it has its routes again. */
function kernelLines(): ReadonlyLines {
  return [
    'protocol kernel {',
    '  graceful restart on;',
    '  merge paths on limit 16;',
    '  ipv4 {',
    '    import none;',
    '    export where source != RTS_DEVICE;',
    '  };',
    '}',
    '',
  ];
}

function ospfLines({ ospf }: Speaker): ReadonlyLines {
  if (ospf === undefined) return [];
  return [
    'filter to_ospf {',
    '  if source = RTS_DEVICE || source = RTS_STATIC then {',
    '    ospf_metric1 = 1;',
    '    accept;',
    '  }',
    '  if source = RTS_BGP then {',
    '    ospf_metric1 = 1;',
    `    ospf_tag = ${externalTag};`,
    '    accept;',
    '  }',
    '  reject;',
    '}',
    '',
    'protocol ospf v2 {',
    '  graceful restart on;',
    '  ecmp on limit 16;',
    '  ipv4 {',
    '    import all;',
    '    export filter to_ospf;',
    '  };',
    '  area 0 {',
    ...ospf.links.flatMap((link) => [
      `    interface "${link.interface}" {`,
      '      type ptp;',
      `      cost ${link.cost};`,
      `      hello ${ospf.helloS};`,
      `      dead ${ospf.deadS};`,
      '    };',
    ]),
    '  };',
    '}',
    '',
  ];
}

function bgpLines({ bgp, ospf }: Speaker): ReadonlyLines {
  if (bgp === undefined) return [];
  const inner = ['RTS_OSPF', 'RTS_OSPF_IA', 'RTS_OSPF_EXT1', 'RTS_OSPF_EXT2'].join(', ');
  return [
    'filter to_bgp {',
    '  if source ~ [RTS_DEVICE, RTS_STATIC, RTS_BGP] then accept;',
    // Not what another router of the same system took over from BGP: its path would be lost, and packets could circle.
    ...(ospf === undefined ? [] : [`  if source ~ [${inner}] && ospf_tag != ${externalTag} then accept;`]),
    '  reject;',
    '}',
    '',
    ...bgp.sessions.flatMap(({ name, own, peer, peerAs, isBehindGateway }) => [
      `protocol bgp '${name}' {`,
      `  local ${own} as ${bgp.as};`,
      `  neighbor ${peer} as ${peerAs};`,
      ...(isBehindGateway ? ['  multihop;'] : []),
      '  graceful restart on;',
      '  connect delay time 1;',
      '  connect retry time 5;',
      '  error wait time 1, 5;',
      '  keepalive time 3;',
      '  hold time 9;',
      '  ipv4 {',
      ...(peerAs === bgp.as ? [] : [`    preference ${externalPreference};`]),
      '    import all;',
      '    export filter to_bgp;',
      '    next hop self;',
      '  };',
      '}',
      '',
    ]),
  ];
}

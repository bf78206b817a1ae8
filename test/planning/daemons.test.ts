import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DaemonKind } from '../../src/model/daemon.ts';
import { isDaemonRouter, routerNames } from '../../src/model/router.ts';
import type { Slice } from '../../src/model/slice.ts';
import { planDaemon } from '../../src/planning/daemons/index.ts';
import { routerId } from '../../src/planning/daemons/router-id.ts';
import { type Instance, planInstance } from '../../src/planning/instance.ts';
import { computeRoutes, infrastructureRoutes } from '../../src/planning/routes.ts';
import { planVn } from '../../src/planning/vn-plan.ts';
import { checkDaemonConfig, protocolsIn } from '../../src/vsys/daemon-config.ts';
import { type Learning, livingSlice } from '../support/living-slice.ts';
import { arbitrarySlice } from '../support/slices.ts';

const all = (kind: DaemonKind) => [kind, kind, kind, kind];

function configOf(slice: Slice, router: string, placement = 'initial', slot = 0): string {
  const vn = slice.vns[0]!;
  const instance = planInstance(slice, vn, vn.placements.get(placement)!, slot);
  return planDaemon(planVn(slice, vn), instance, router).config;
}

describe('the configuration of a router', () => {
  test('BIRD with OSPF announces the end hosts, and speaks on the links between routers only', () => {
    expect(configOf(livingSlice(all('bird'), 'ospf'), 'a')).toBe(`log stderr all;
router id 0.1.0.1;

protocol device {
  scan time 10;
}

protocol direct links {
  ipv4;
  interface "pv001-0l0a", "pv001-0l3a", "pv001-0l4b";
}

protocol static end_hosts {
  ipv4;
  route 10.65.0.0/31 via 10.65.255.248;
}

protocol kernel {
  graceful restart on;
  merge paths on limit 16;
  ipv4 {
    import none;
    export where source != RTS_DEVICE;
  };
}

filter to_ospf {
  if source = RTS_DEVICE || source = RTS_STATIC then {
    ospf_metric1 = 1;
    accept;
  }
  if source = RTS_BGP then {
    ospf_metric1 = 1;
    ospf_tag = 1;
    accept;
  }
  reject;
}

protocol ospf v2 {
  graceful restart on;
  ecmp on limit 16;
  ipv4 {
    import all;
    export filter to_ospf;
  };
  area 0 {
    interface "pv001-0l0a" {
      type ptp;
      cost 10;
      hello 1;
      dead 4;
    };
    interface "pv001-0l3a" {
      type ptp;
      cost 15;
      hello 1;
      dead 4;
    };
  };
}

`);
  });

  test('FRR with OSPF and BGP has OSPF within its system, and BGP on the link to the other', () => {
    expect(configOf(livingSlice(all('frr'), 'both'), 'a')).toBe(`frr defaults traditional
log stdout informational
no zebra nexthop kernel enable
ip router-id 0.1.0.1
!
ip route 10.65.0.0/31 10.65.255.248 pv001-0l4b
!
route-map from_bgp permit 10
 set tag 1
exit
router ospf
 ospf router-id 0.1.0.1
 no proactive-arp
 capability opaque
 graceful-restart grace-period 120
 graceful-restart helper enable
 redistribute connected metric 1 metric-type 1
 redistribute static metric 1 metric-type 1
 redistribute bgp metric 1 metric-type 1 route-map from_bgp
exit
interface pv001-0l0a
 ip ospf network point-to-point
 ip ospf cost 10
 ip ospf hello-interval 1
 ip ospf dead-interval 4
 ip ospf area 0.0.0.0
exit
!
route-map to_bgp deny 10
 match tag 1
exit
route-map to_bgp permit 20
exit
router bgp 65001
 bgp router-id 0.1.0.1
 no bgp ebgp-requires-policy
 bgp graceful-restart
 bgp bestpath as-path multipath-relax
 timers bgp 3 9
 neighbor 10.65.255.247 remote-as 65002
 neighbor 10.65.255.247 timers connect 5
 address-family ipv4 unicast
  redistribute connected
  redistribute static
  redistribute ospf route-map to_bgp
  neighbor 10.65.255.247 next-hop-self
 exit-address-family
exit
!
`);
  });

  test('BIRD with BGP has a session with each neighbour, whoever lists it', () => {
    const sessions = (router: string) =>
      [...configOf(livingSlice(all('bird'), 'bgp'), router).matchAll(/protocol bgp '(.*)' \{\n(.*)\n(.*)\n/g)].map(
        ([, name, own, peer]) => [name, own!.trim(), peer!.trim()],
      );
    expect(sessions('a')).toEqual([
      ['to_b-x', 'local 10.65.255.240 as 65001;', 'neighbor 10.65.255.241 as 65002;'],
      ['to_d', 'local 10.65.255.246 as 65001;', 'neighbor 10.65.255.247 as 65004;'],
    ]);
    expect(sessions('d')).toEqual([
      ['to_c', 'local 10.65.255.245 as 65004;', 'neighbor 10.65.255.244 as 65003;'],
      ['to_a', 'local 10.65.255.247 as 65004;', 'neighbor 10.65.255.246 as 65001;'],
    ]);
  });

  test.each(['bird', 'frr'] as const)("the user's statements come last, with %s", (kind) => {
    const text = kind === 'bird' ? 'define mine = 7;\n' : 'ip prefix-list mine seq 5 permit any\n';
    const slice = livingSlice(all(kind), 'ospf');
    expect(configOf(livingSlice(all(kind), 'ospf', text), 'd')).toBe(`${configOf(slice, 'd')}${text}`);
  });

  test('a BGP neighbour at an end host is reached over its gateway', () => {
    const slice = livingSlice(['bird', 'bird', 'bird', 'frr'], 'bgp');
    const vn = slice.vns[0]!;
    const withNeighbour = (name: string, address: string) => ({
      ...slice,
      vns: [
        {
          ...vn,
          routers: vn.routers.map((router) => {
            if (router.name !== name || !isDaemonRouter(router)) return router;
            const bgp = { as: router.config.bgp!.as, neighbours: [{ address, as: 65_010 }] };
            return { ...router, config: { bgp } };
          }),
        },
      ],
    });
    expect(configOf(withNeighbour('a', '10.65.0.1'), 'a')).toContain(
      `protocol bgp 'to_10_65_0_1' {\n  local 10.65.255.249 as 65001;\n  neighbor 10.65.0.1 as 65010;\n  multihop;\n`,
    );
    expect(configOf(withNeighbour('d', '10.65.0.5'), 'd')).toContain(
      ' neighbor 10.65.0.5 remote-as 65010\n neighbor 10.65.0.5 timers connect 5\n neighbor 10.65.0.5 update-source 10.65.255.251\n neighbor 10.65.0.5 ebgp-multihop\n',
    );
    expect(() => configOf(withNeighbour('a', '10.65.0.3'), 'a')).toThrow(
      "router 'a': 10.65.0.3 is not behind one of its gateways",
    );
  });

  test('a static router has no daemon', () => {
    const slice = livingSlice(all('bird'), 'ospf');
    const routers = [{ name: 'a', kind: 'static', config: {} } as const, ...slice.vns[0]!.routers.slice(1)];
    expect(() => configOf({ ...slice, vns: [{ ...slice.vns[0]!, routers }] }, 'a')).toThrow(
      "router 'a' has no routing daemon",
    );
  });
});

/** Any VN, with whole costs and routers of these kinds. */
const arbitraryLiving = fc
  .tuple(
    arbitrarySlice,
    fc.array(fc.constantFrom<DaemonKind>('bird', 'frr'), { minLength: 8, maxLength: 8 }),
    fc.constantFrom<Learning>('ospf', 'bgp', 'both'),
  )
  .map(([slice, kinds, learning]): Slice => {
    const vn = slice.vns[0]!;
    const names = routerNames(vn);
    const neighboursOf = (router: string) =>
      vn.links.flatMap(({ from, to }) =>
        from === router ? [{ router: to }] : to === router ? [{ router: from }] : [],
      );
    const routers = names.map((name, index) => {
      const as = learning === 'both' ? 65_001 + Math.floor(index / 2) : 65_001 + index;
      const config = learning === 'ospf' ? {} : { bgp: { as, neighbours: neighboursOf(name) } };
      return { name, kind: kinds[index]!, config };
    });
    const links = vn.links.map((link) => ({ ...link, cost: Math.ceil(link.cost * 10) }));
    const routing = { protocol: 'ospf', helloS: 10, deadS: 40 } as const;
    return { ...slice, vns: [{ ...vn, routers, links, ...(learning === 'bgp' ? {} : { routing }) }] };
  });

const instanceOf = (slice: Slice, placement: string, slot: number): Instance => {
  const vn = slice.vns[0]!;
  return planInstance(slice, vn, vn.placements.get(placement)!, slot);
};

test('every configuration is allowed, and names what it uses', () => {
  fc.assert(
    fc.property(arbitraryLiving, (slice) => {
      const vn = slice.vns[0]!;
      const hasBgp = vn.routers.some(({ kind, config }) => kind !== 'static' && 'bgp' in config);
      for (const router of routerNames(vn)) {
        const { kind, config } = planDaemon(planVn(slice, vn), instanceOf(slice, 'initial', 0), router);
        checkDaemonConfig(kind, config);
        // A router alone has no session, and with BIRD no protocol then.
        const expected = [...(vn.routing === undefined ? [] : ['ospf']), ...(hasBgp ? ['bgp'] : [])];
        expect(expected).toEqual(expect.arrayContaining(protocolsIn(kind, config)));
        if (kind === 'frr') expect(protocolsIn(kind, config)).toEqual(expected);
      }
    }),
  );
});

test('the configuration on a new instance differs in names of interfaces and addresses of the instance only', () => {
  fc.assert(
    fc.property(arbitraryLiving, (slice) => {
      const vn = slice.vns[0]!;
      const [old, fresh] = [instanceOf(slice, 'initial', 0), instanceOf(slice, 'final', 1)];
      const ends = (instance: Instance) => instance.links.flatMap(({ a, b }) => [a, b]);
      const renamed = new Map(
        ends(old).flatMap((end, index) => {
          const other = ends(fresh)[index]!;
          return [[end.interface, other.interface] as const, [end.address, other.address] as const];
        }),
      );
      for (const router of routerNames(vn)) {
        const [before, after] = [old, fresh].map((instance) => planDaemon(planVn(slice, vn), instance, router).config);
        expect(before!.replaceAll(/[a-z0-9.]+(?:-[a-z0-9]+)?/g, (word) => renamed.get(word) ?? word)).toBe(after);
      }
    }),
  );
});

test('identities of routers are unique in a slice, and last as long as the VN', () => {
  const slice = livingSlice(all('bird'), 'ospf');
  const vn = slice.vns[0]!;
  const second = { ...vn, name: 'second' };
  const two = { ...slice, vns: [vn, second] };
  const ids = [vn, second].map((one) => routerNames(one).map((router) => routerId(two, one, router)));
  expect(ids).toEqual([
    ['0.1.0.1', '0.1.0.2', '0.1.0.3', '0.1.0.4'],
    ['0.2.0.1', '0.2.0.2', '0.2.0.3', '0.2.0.4'],
  ]);
  const many = {
    ...vn,
    routers: Array.from({ length: 300 }, (_, index) => ({ ...vn.routers[0]!, name: `r${index}` })),
  };
  expect(routerId({ ...slice, vns: [many] }, many, 'r299')).toBe('0.1.1.44');
  expect(() => routerId(slice, vn, 'x')).toThrow("slice 'test' has no router 'x'");
});

test('routers with a daemon have no computed routes', () => {
  const slice = livingSlice(all('frr'), 'ospf');
  const vn = slice.vns[0]!;
  const instance = instanceOf(slice, 'initial', 0);
  const none = routerNames(vn).map((router) => [router, []]);
  expect([...computeRoutes(vn, instance, planVn(slice, vn).access)]).toEqual(none);
  expect([...infrastructureRoutes(vn, instance)]).toEqual(none);
});

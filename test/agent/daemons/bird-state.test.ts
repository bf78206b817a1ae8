/** On output of BIRD 2.0.12, shortened. */
import { expect, it } from 'vitest';
import { parseAnswers } from '../../../src/agent/daemons/bird-control.ts';
import { parseOspfNeighbours, parseProtocols, stateOf } from '../../../src/agent/daemons/bird-state.ts';

const greeting = '0001 BIRD 2.0.12 ready.\n';
const protocols = `2002-Name       Proto      Table      State  Since         Info
1002-device1    Device     ---        up     15:59:36.234  
1006-
1002-kernel1    Kernel     master4    up     15:59:36.234  
1006-  Channel ipv4
     State:          UP
     Routes:         0 imported, 2 exported, 0 preferred
     Route change stats:     received   rejected   filtered    ignored   accepted
       Import updates:              0          0          0          0          0
 
1002-static1    Static     master4    up     15:59:36.234  
1006-  Channel ipv4
     Routes:         1 imported, 0 exported, 1 preferred
 
1002-static2    Static     master4    up     15:59:36.234  
1006-  Channel ipv4
     Routes:         3 imported, 0 exported, 3 preferred
 
1002-up1        BGP        ---        up     15:59:37.169  Established   
1006-  BGP state:          Established
     Neighbor address: 10.65.0.2
     Neighbor AS:      65002
     Local AS:         65001
     Neighbor ID:      1.1.1.2
     Neighbor capabilities
       Multiprotocol
         AF announced: ipv4
     Source address:   10.65.0.1
   Channel ipv4
     State:          UP
     Routes:         1 imported, 2 exported, 0 preferred
     BGP Next hop:   10.65.0.1
 
1002-down1      BGP        ---        start  15:59:36.234  Idle          
1006-  BGP state:          Idle
     Neighbor address: 10.65.0.9
     Neighbor AS:      65009
     Local AS:         65001
   Channel ipv4
     State:          DOWN
 
1002-ospf1      OSPF       master4    up     15:59:36.234  Running
1006-  Channel ipv4
     Routes:         1 imported, 1 exported, 1 preferred
 
0000 
`;
const neighbours = `1013-ospf1:
 Router ID   \tPri\t     State     \tDTime\tInterface  Router IP
 1.1.1.2     \t  1\tFull/PtP  \t 3.387\tpv001-a    10.65.0.2
 1.1.1.3     \t  1\tExStart/PtP\t 3.001\tpv001-c    10.65.0.4
0000 
`;

function answerIn(text: string) {
  const [first, second] = parseAnswers(greeting + text);
  expect(first).toEqual([{ code: 1, text: 'BIRD 2.0.12 ready.' }]);
  return second!;
}

it('an answer of BIRD is complete only with its last line', () => {
  expect(parseAnswers(greeting.slice(0, -1))).toEqual([]);
  expect(parseAnswers(greeting + protocols.slice(0, -1))).toHaveLength(1);
  expect(parseAnswers(greeting + protocols)).toHaveLength(2);
  expect(parseAnswers(`${greeting}9001 syntax error, unexpected CF_SYM_UNDEFINED\n`)[1]).toEqual([
    { code: 9001, text: 'syntax error, unexpected CF_SYM_UNDEFINED' },
  ]);
});

it('routes of BIRD are counted by what brought them, and its BGP sessions are found', () => {
  const parsed = parseProtocols(answerIn(protocols));
  expect(parsed.map(({ name, type }) => `${name} ${type}`)).toEqual([
    'device1 Device',
    'kernel1 Kernel',
    'static1 Static',
    'static2 Static',
    'up1 BGP',
    'down1 BGP',
    'ospf1 OSPF',
  ]);
  expect(stateOf(parsed, [])).toEqual({
    adjacencies: [
      { protocol: 'bgp', neighbour: '1.1.1.2', address: '10.65.0.2', state: 'Established', isUp: true },
      { protocol: 'bgp', address: '10.65.0.9', state: 'Idle', isUp: false },
    ],
    routes: { static: 4, bgp: 1, ospf: 1 },
  });
});

it('OSPF neighbours of BIRD have an id, an address, an interface and a state', () => {
  expect(parseOspfNeighbours(answerIn(neighbours))).toEqual([
    {
      protocol: 'ospf',
      neighbour: '1.1.1.2',
      address: '10.65.0.2',
      interface: 'pv001-a',
      state: 'Full/PtP',
      isUp: true,
    },
    {
      protocol: 'ospf',
      neighbour: '1.1.1.3',
      address: '10.65.0.4',
      interface: 'pv001-c',
      state: 'ExStart/PtP',
      isUp: false,
    },
  ]);
});

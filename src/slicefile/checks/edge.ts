import type { Draft, DraftEndHost, DraftGateway, DraftVn } from '../draft.ts';
import type { Section } from '../draft-reader.ts';
import { atValue, type Problem } from '../fault.ts';
import { quote } from '../words.ts';
import { checkPairs, type PairRules } from './pairs.ts';
import { aGateway, aNode, anEndHost, aRouter, checkReference, type Kind, repeats } from './references.ts';

/** Checks the edge of a VN: gateways, end hosts and the flows between them. */
export function checkEdge({ nodes }: Draft, { routers, gateways, endHosts, flows }: DraftVn): Problem[] {
  return [
    ...gateways.entries.flatMap(({ node, router }) => [
      ...checkReference(aNode, node, nodes),
      ...checkReference(aRouter, router, routers),
    ]),
    ...endHosts.entries.flatMap(({ node, gateway }) => [
      ...checkReference(aNode, node, nodes),
      ...checkReference(aGateway, gateway, gateways),
    ]),
    ...checkOnePerNode(aGateway, gateways),
    ...checkOnePerNode(anEndHost, endHosts),
    ...checkApart(gateways, endHosts),
    ...checkPairs(flows, endHosts, flowRules),
  ];
}

const flowRules: PairRules = {
  ends: anEndHost,
  directed: true,
  loop: (endHost) => [`flow from ${endHost} to itself`, 'a flow joins two different end hosts'],
  again: (from, to) => [`the flow from ${from} to ${to} is listed twice`, 'make it one flow with the sum of the rates'],
};

function checkOnePerNode(kind: Kind, section: Section<DraftGateway | DraftEndHost>): Problem[] {
  return repeats(section.entries, ({ node }) => node?.name).map(({ item, first }) =>
    atValue(
      [...item.path, 'node'],
      `${kind.plural} ${quote(first.name)} and ${quote(item.name)} are both on node ${quote(item.node?.name ?? '')}`,
      `each uses its node's own network stack: use one node per ${kind.singular} of a VN`,
    ),
  );
}

/**
 * Checks that no end host is on a gateway's node, where traffic to it would be delivered locally and not enter the VN.
 */
function checkApart(gateways: Section<DraftGateway>, endHosts: Section<DraftEndHost>): Problem[] {
  const gatewayOn = new Map(gateways.entries.map(({ name, node }) => [node?.name, name]));
  return endHosts.entries.flatMap(({ name, node, gateway: own }) => {
    const gateway = node === undefined ? undefined : gatewayOn.get(node.name);
    if (node === undefined || gateway === undefined) return [];
    const whose = gateway === own?.name ? 'its gateway' : 'gateway';
    return atValue(
      node.path,
      `end host ${quote(name)} is on the same node as ${whose} ${quote(gateway)}`,
      "both use the node's own network stack; put the end host on another node",
    );
  });
}

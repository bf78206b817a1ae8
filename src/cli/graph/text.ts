/** A VN as tables: where its routers are, on one placement or on two, and what joins what. */
import { type GraphSide, placeId, type VnGraph } from '../../controller/graph.ts';
import { table } from '../output.ts';

export function textGraph(graphs: readonly VnGraph[]): string {
  return graphs.map(textOf).join('\n\n');
}

function textOf({ slice, vn, sides, migration }: VnGraph): string {
  const [first, second] = sides as [GraphSide, GraphSide?];
  const heading = `slice '${slice}', VN '${vn}': ${sides.map(({ title }) => title).join(' | ')}`;
  const edge = first.nodes.flatMap(({ node, places, problem }) =>
    places.filter(({ kind }) => kind !== 'router').map((place) => ({ ...place, node: named(node, problem) })),
  );
  const parts = [
    migration === undefined ? heading : `${heading}\n${migration}`,
    table(
      ['router', ...(second === undefined ? ['node'] : ['node', 'to node']), 'neighbours'],
      routersOf(first).map(({ name, daemon, node }) => [
        daemon === undefined ? name : `${name} (${daemon})`,
        node,
        ...(second === undefined ? [] : [targetOf(name, second)]),
        neighboursOf(first, second, `router ${name}`),
      ]),
    ),
    ...(edge.length === 0
      ? []
      : [
          table(
            ['place', 'name', 'node', 'neighbours'],
            edge.map((place) => [place.kind, place.name, place.node, neighboursOf(first, second, placeId(place))]),
          ),
        ]),
  ];
  return parts.join('\n\n');
}

function routersOf({ nodes }: GraphSide) {
  return nodes.flatMap(({ node, places, problem }) =>
    places.filter(({ kind }) => kind === 'router').map((place) => ({ ...place, node: named(node, problem) })),
  );
}

/** The node of a router on the other side, or a dash if it stays. */
function targetOf(router: string, side: GraphSide): string {
  const found = routersOf(side).find(({ name }) => name === router);
  return found?.moves === true ? found.node : '-';
}

function named(node: string, problem: string | undefined): string {
  return problem === undefined ? node : `${node} (${problem})`;
}

/** The names at the other ends of links, with their latencies where the slice declares some. */
function neighboursOf(first: GraphSide, second: GraphSide | undefined, id: string): string {
  const linksAt = (side: GraphSide | undefined) => side?.links.filter(({ from, to }) => from === id || to === id) ?? [];
  const others = linksAt(second);
  return linksAt(first)
    .map(({ from, to, latencyMs }, index) => {
      const other = (from === id ? to : from).replace(/^router /, '');
      const later = others[index]?.latencyMs;
      const now = latencyMs === undefined ? undefined : `${latencyMs}`;
      const after = second === undefined || later === latencyMs ? undefined : `${later ?? 0}`;
      if (now === undefined && after === undefined) return other;
      return `${other} (${after === undefined ? now : `${now ?? 0} -> ${after}`} ms)`;
    })
    .join(', ');
}

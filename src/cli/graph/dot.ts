/** A VN in the language of Graphviz: a cluster for each side, and in it one for each node with several places. */
import { type GraphLink, type GraphNode, type GraphPlace, placeId, type VnGraph } from '../../controller/graph.ts';

export const colours = {
  side: '#f6f8fa',
  node: '#ffffff',
  line: '#57606a',
  router: '#ddf4ff',
  moves: '#ffd8b5',
  gateway: '#dafbe1',
  'end host': '#ffffff',
  problem: '#cf222e',
} as const;

const shapes = { router: 'ellipse', gateway: 'box', 'end host': 'plaintext' } as const;

export function dotGraph(graphs: readonly VnGraph[]): string {
  const [{ slice }] = graphs as [VnGraph, ...VnGraph[]];
  const lines = graphs.flatMap((graph, vn) =>
    graph.sides.flatMap((_, index) => {
      const id = `v${vn}s${index}`;
      const title = sideTitle(graph, index, graphs.length > 1)
        .map(padded)
        .join('\n');
      return [
        `  subgraph cluster_${id} {`,
        `    label=${quoted(title)}; style="filled"; fillcolor="${colours.side}"; color="${colours.line}";`,
        ...sideLines(graph, index, id).map((line) => `  ${line}`),
        '  }',
      ];
    }),
  );
  return graphOf(slice, [`  label=${quoted(titleOf(graphs).map(padded).join('\n'))}; labelloc="t";`, ...lines]);
}

/** One side alone, without a title. The sides of a VN with the same structure get the same layout. */
export function dotSide(graph: VnGraph, index: number): string {
  return graphOf('side', [`  bgcolor="transparent";`, ...sideLines(graph, index, 's')]);
}

function graphOf(name: string, lines: readonly string[]): string {
  return [
    `graph ${quoted(name)} {`,
    `  graph [${font(13)}, ranksep="0.45", nodesep="0.3", pad="0.1"];`,
    `  node [${font(12)}, style="filled", color="${colours.line}", margin="0.1,0.05"];`,
    `  edge [${font(10)}, color="${colours.line}", fontcolor="${colours.line}"];`,
    ...lines,
    '}',
  ].join('\n');
}

function sideLines(graph: VnGraph, index: number, id: string): string[] {
  const { nodes, links } = graph.sides[index]!;
  const widths = widthsOf(graph);
  return [
    ...nodes.flatMap((node, place) => nodeLines(node, `${id}n${place}`, id, widths)),
    ...links.map((link, at) => edgeLine(link, id, widths.links[at]!)),
  ].map((line) => `  ${line}`);
}

/** The lines of a side's title; `named`: whether they include the VN. */
export function sideTitle({ vn, sides }: VnGraph, index: number, named: boolean): string[] {
  return [...(named ? [`VN '${vn}'`] : []), ...sides[index]!.title.split(', ')];
}

/** The lines above all. */
export function titleOf(graphs: readonly VnGraph[]): string[] {
  const [{ slice, vn }] = graphs as [VnGraph, ...VnGraph[]];
  const title = graphs.length > 1 ? `slice '${slice}'` : `slice '${slice}', VN '${vn}'`;
  return [title, ...graphs.flatMap(({ migration }) => migration ?? [])];
}

/** The widths that both sides have in common, so that they look alike: names of places and nodes, labels of links. */
interface Widths {
  /** In characters, by the id of a place. */
  readonly places: ReadonlyMap<string, number>;
  /** In characters, in the order of the links. */
  readonly links: readonly number[];
}

function widthsOf({ sides }: VnGraph): Widths {
  const places = new Map<string, number>();
  for (const { node, place } of sides.flatMap(({ nodes }) =>
    nodes.flatMap(({ node, places: own }) => own.map((place) => ({ node, place }))),
  )) {
    const id = placeId(place);
    places.set(id, Math.max(places.get(id) ?? 0, nameOf(place).length, `on ${node}`.length));
  }
  const [first] = sides as [VnGraph['sides'][number]];
  const links = first.links.map((_, at) => Math.max(...sides.map(({ links: own }) => latencyText(own[at]).length)));
  return { places, links };
}

/** A node with one place is that place with the node's name below it; one with several is a box around them. */
function nodeLines({ node, places, problem }: GraphNode, cluster: string, side: string, widths: Widths): string[] {
  const [only, ...others] = places as [GraphPlace, ...GraphPlace[]];
  const found = problem === undefined ? [] : [problem];
  if (others.length === 0) return [placeLine(only, side, [`on ${node}`, ...found], problem !== undefined, widths)];
  const label = [node, ...found].join(': ');
  const colour = problem === undefined ? colours.line : colours.problem;
  return [
    `subgraph cluster_${cluster} {`,
    `  label=${quoted(padded(label))}; labeljust="l"; style="filled,rounded"; fillcolor="${colours.node}"; color="${colour}"; fontsize="11";`,
    ...places.map((place) => `  ${placeLine(place, side, [], problem !== undefined, widths)}`),
    '}',
  ];
}

/** `more`: the lines below the name. */
function placeLine(place: GraphPlace, side: string, more: readonly string[], isHurt: boolean, widths: Widths): string {
  const longest = Math.max(widths.places.get(placeId(place))!, ...more.map(({ length }) => length));
  const width = longest * inchesPerCharacter + (place.kind === 'router' ? 0.45 : 0.25);
  const attributes = [
    `label=${quoted([nameOf(place), ...more].join('\n'))}`,
    `shape="${shapes[place.kind]}"`,
    `width="${width.toFixed(2)}"`,
    `fillcolor="${place.moves ? colours.moves : colours[place.kind]}"`,
    ...(isHurt ? [`color="${colours.problem}"`, 'penwidth="2"'] : []),
  ];
  return `${idOf(side, placeId(place))} [${attributes.join(', ')}];`;
}

function nameOf(place: GraphPlace): string {
  return place.daemon === undefined ? place.name : `${place.name} (${place.daemon})`;
}

function edgeLine(link: GraphLink, side: string, width: number): string {
  const text = latencyText(link);
  const label = width === 0 ? '' : ` [label=${quoted(padded(text.padEnd(width, '\u2007')))}]`;
  return `${idOf(side, link.from)} -- ${idOf(side, link.to)}${label};`;
}

function latencyText(link: GraphLink | undefined): string {
  return link?.latencyMs === undefined ? '' : `${link.latencyMs} ms`;
}

/** Wide fonts stand in for Helvetica on some machines, so names need room. */
const inchesPerCharacter = 0.105;

/** A text with room at both ends, so that it touches no line. */
function padded(text: string): string {
  return `\u2007${text}\u2007`;
}

function font(size: number): string {
  return `fontname="Helvetica", fontsize="${size}"`;
}

function idOf(side: string, id: string): string {
  return quoted(`${side} ${id}`);
}

/** A text in quotes; a line break in it is centred. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

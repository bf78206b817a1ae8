/** A VN in the language of Mermaid, for pages that draw it: GitHub, GitLab, many wikis. */
import { type GraphPlace, placeId, type VnGraph } from '../../controller/graph.ts';

const shapes: Record<GraphPlace['kind'], readonly [string, string]> = {
  router: ['([', '])'],
  gateway: ['[', ']'],
  'end host': ['>', ']'],
};

export function mermaidGraph(graphs: readonly VnGraph[]): string {
  const styled: string[] = [];
  const lines = graphs.flatMap((graph, vn) =>
    graph.sides.flatMap(({ title, nodes, links }, index) => {
      const side = `v${vn}s${index}`;
      const ids = new Map(
        nodes.flatMap(({ places }) => places).map((place, at) => [placeId(place), `${side}p${at}`] as const),
      );
      const label = graphs.length > 1 ? `VN '${graph.vn}', ${title}` : title;
      return [
        `  subgraph ${side}[${quoted(label)}]`,
        ...nodes.flatMap(({ node, places, problem }, at) => {
          const name = problem === undefined ? node : `${node}: ${problem}`;
          if (problem !== undefined) styled.push(`  class ${side}n${at} problem`);
          return [
            `    subgraph ${side}n${at}[${quoted(name)}]`,
            ...places.map((place) => {
              const id = ids.get(placeId(place))!;
              const [open, close] = shapes[place.kind];
              if (place.moves) styled.push(`  class ${id} moves`);
              const words = place.daemon === undefined ? place.name : `${place.name} (${place.daemon})`;
              return `      ${id}${open}${quoted(words)}${close}`;
            }),
            '    end',
          ];
        }),
        ...links.map(({ from, to, latencyMs }) => {
          const words = latencyMs === undefined ? '---' : `---|${quoted(`${latencyMs} ms`)}|`;
          return `    ${ids.get(from)} ${words} ${ids.get(to)}`;
        }),
        '  end',
      ];
    }),
  );
  const comments = graphs.flatMap(({ migration }) => (migration === undefined ? [] : [`  %% ${oneLine(migration)}`]));
  const classes = [
    '  classDef moves fill:#ffd8b5,stroke:#57606a',
    '  classDef problem stroke:#cf222e,stroke-width:2px',
  ];
  return ['flowchart TB', ...comments, ...lines, ...classes, ...styled].join('\n');
}

/** A label: only its quotes and what begins an entity need one. */
function quoted(text: string): string {
  return `"${oneLine(text).replaceAll('#', '#35;').replaceAll('"', '#quot;')}"`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}

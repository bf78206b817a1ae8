import { describe, expect, it } from 'vitest';
import { dotGraph } from '../../../src/cli/graph/dot.ts';
import { mermaidGraph } from '../../../src/cli/graph/mermaid.ts';
import { svgGraph } from '../../../src/cli/graph/svg.ts';
import { textGraph } from '../../../src/cli/graph/text.ts';
import type { GraphSide, VnGraph } from '../../../src/controller/graph.ts';
import { parseXml } from '../../../src/import/trees/xml.ts';

function side(title: string, c: string, latencyMs: number, problem?: string): GraphSide {
  const router = (name: string, moves = false) => ({ kind: 'router' as const, name, moves });
  return {
    title,
    nodes: [
      { node: 'n1', places: [router('a'), { ...router('b'), daemon: 'bird running' }] },
      { node: c, places: [router('c', true)], ...(problem === undefined ? {} : { problem }) },
      { node: 'g', places: [{ kind: 'gateway', name: 'G1', moves: false }] },
      { node: 'h', places: [{ kind: 'end host', name: 'e1', moves: false }] },
    ],
    links: [
      { from: 'router a', to: 'router b', cost: 1 },
      { from: 'router b', to: 'router c', cost: 1, latencyMs },
      { from: 'gateway G1', to: 'router a', latencyMs: 2 },
      { from: 'end host e1', to: 'gateway G1' },
    ],
  };
}

const one: VnGraph = { slice: 's', vn: 'v', sides: [side("placement 'initial', not installed", 'n2', 10)] };
const two: VnGraph = {
  slice: 's',
  vn: 'v',
  sides: [
    side("old: placement 'initial', carries the traffic", 'n2', 10),
    side("new: placement 'final'", 'n3', 4.5, 'unreachable'),
  ],
  migration: "the migration from 'initial' to 'final' is unfinished (redirect)",
};
/** A graph with text that means something to every format; nothing of this kind comes from a slice file. */
const hostile: VnGraph = {
  ...one,
  slice: 'a"b\\',
  sides: [{ ...one.sides[0]!, title: '</text><script>"\\n#quot;&' }],
};

describe('text', () => {
  it('one side has a table of routers and one of the edge', () => {
    expect(textGraph([one])).toBe(`slice 's', VN 'v': placement 'initial', not installed

router            node  neighbours
----------------  ----  --------------------
a                 n1    b, gateway G1 (2 ms)
b (bird running)  n1    a, c (10 ms)
c                 n2    b (10 ms)

place     name  node  neighbours
--------  ----  ----  ---------------------
gateway   G1    g     a (2 ms), end host e1
end host  e1    h     gateway G1`);
  });

  it('two sides have the new node of each router that moves, and latencies that change', () => {
    expect(textGraph([two]).split('\n').slice(0, 8)).toEqual([
      "slice 's', VN 'v': old: placement 'initial', carries the traffic | new: placement 'final'",
      "the migration from 'initial' to 'final' is unfinished (redirect)",
      '',
      'router            node  to node           neighbours',
      '----------------  ----  ----------------  --------------------',
      'a                 n1    -                 b, gateway G1 (2 ms)',
      'b (bird running)  n1    -                 a, c (10 -> 4.5 ms)',
      'c                 n2    n3 (unreachable)  b (10 -> 4.5 ms)',
    ]);
  });
});

describe('mermaid', () => {
  it('nodes are boxes around their routers, and what moves has a class', () => {
    expect(mermaidGraph([one])).toBe(`flowchart TB
  subgraph v0s0["placement 'initial', not installed"]
    subgraph v0s0n0["n1"]
      v0s0p0(["a"])
      v0s0p1(["b (bird running)"])
    end
    subgraph v0s0n1["n2"]
      v0s0p2(["c"])
    end
    subgraph v0s0n2["g"]
      v0s0p3["G1"]
    end
    subgraph v0s0n3["h"]
      v0s0p4>"e1"]
    end
    v0s0p0 --- v0s0p1
    v0s0p1 ---|"10 ms"| v0s0p2
    v0s0p3 ---|"2 ms"| v0s0p0
    v0s0p4 --- v0s0p3
  end
  classDef moves fill:#ffd8b5,stroke:#57606a
  classDef problem stroke:#cf222e,stroke-width:2px
  class v0s0p2 moves`);
    expect(mermaidGraph([two])).toContain("  %% the migration from 'initial' to 'final' is unfinished (redirect)");
    expect(mermaidGraph([two])).toContain('  class v0s1n1 problem');
  });

  it('quotes and entities in labels are escaped', () => {
    expect(mermaidGraph([hostile])).toContain('["</text><script>#quot;\\n#35;quot;&"]');
  });
});

describe('dot', () => {
  it('a node with several routers is a cluster, and one with one is that router', () => {
    const text = dotGraph([two]);
    expect(text.match(/subgraph cluster_v0s\d /g)).toHaveLength(2);
    expect(text.match(/subgraph cluster_v0s\dn\d /g)).toHaveLength(2);
    expect(text).toContain('"v0s1 router c" [label="c\\non n3\\nunreachable"');
    expect(text).toContain('"v0s0 router a" -- "v0s0 router b";');
  });

  it('quotes and backslashes are escaped', () => {
    expect(dotGraph([hostile])).toMatch(/^graph "a\\"b\\\\" \{/);
  });
});

describe('svg', () => {
  it('is well-formed, and the same every time', async () => {
    const picture = await svgGraph([two]);
    expect(parseXml(picture, 'picture.svg').rootName).toBe('svg');
    expect(await svgGraph([two])).toBe(picture);
    expect(picture).not.toMatch(/<!DOCTYPE|<title>|\bid=/);
  });

  it('has the text of everything', async () => {
    const picture = await svgGraph([two]);
    const texts = [...picture.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) =>
      text!.replaceAll('&#39;', "'").trim(),
    );
    for (const text of [
      "slice 's', VN 'v'",
      "old: placement 'initial'",
      'carries the traffic',
      'a',
      'on n2',
      'on n3',
      'unreachable',
      'G1',
      '10 ms',
      '4.5 ms',
    ]) {
      expect(texts).toContain(text);
    }
    expect(texts).toContain("the migration from 'initial' to 'final' is unfinished (redirect)");
  });

  it('places what did not move at the same point of both sides', async () => {
    const still: VnGraph = { ...two, sides: [side('old', 'n2', 10), side('new', 'n3', 20)] };
    const [, , ...inner] = (await svgGraph([still])).split('<svg ');
    const points = inner.map((text) =>
      [...text.matchAll(/<(?:ellipse|polygon)[^>]* (?:cx|points)="([^"]*)"/g)].map(([, at]) => at),
    );
    expect(points).toHaveLength(2);
    expect(points[0]!.length).toBeGreaterThan(4);
    expect(points[1]).toEqual(points[0]);
  });

  it('escapes all text', async () => {
    const picture = await svgGraph([hostile]);
    expect(parseXml(picture, 'picture.svg').rootName).toBe('svg');
    expect(picture).not.toContain('<script>');
  });
});

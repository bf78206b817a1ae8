import { beforeAll, describe, expect, test } from 'vitest';
import {
  type DrawnFigure,
  drawFigure,
  figureDefinition,
  type ResultTables,
} from '../../../src/experiment/figures/index.ts';
import { pngScale } from '../../../src/experiment/figures/png.ts';
import { allColours, markColours } from '../../../src/experiment/figures/theme.ts';
import { formatCsv, parseCsv } from '../../../src/experiment/table.ts';
import { rates, threeNodes, twoNodes } from '../made-up.ts';

const byControl = { by: 'control', labels: { remote: 'SSH session per command', at: 'at', gateway: 'armed' } };

/** Every kind of figure and mark. */
const figures: [string, () => ResultTables, object][] = [
  [
    'a scatter plot with the model and points of a paper',
    twoNodes,
    {
      kind: 'scatter',
      from: 'flows',
      x: 'd_real_ms',
      y: 'lost_percent',
      by: 'direction',
      model: { kind: 'loss' },
      paper: [
        { label: 'least loss', x: 89, y: 0.009 },
        { label: 'li', x: 240 },
        { label: 'some loss', y: [1, 2] },
      ],
    },
  ],
  [
    'a scatter plot with a line across for rows that have no x',
    () => withLevel(twoNodes()),
    {
      kind: 'scatter',
      from: 'flows',
      x: 'd_real_ms',
      y: 'lost_ms',
      where: { direction: 'forth' },
      model: { kind: 'loss' },
      level: { label: 'router by router', where: { method: 'vroom' } },
    },
  ],
  [
    'panels with a symlog axis, ends and a range of a paper',
    threeNodes,
    {
      kind: 'scatter',
      from: 'flows',
      x: { column: 'd_real_ms', scale: 'symlog', min: -5000, max: 5000 },
      y: 'lost_percent',
      by: ['from', 'to'],
      panels: 'control',
      paper: [{ label: 'spread', x: [-7800, 13_100], panel: 'remote' }],
    },
  ],
  [
    'lines with intervals and a line of a paper',
    rates,
    {
      kind: 'line',
      x: { column: 'packet_rate_pps', scale: 'log' },
      y: { column: 'duration_ms', unit: 's' },
      by: 'method',
      paper: [
        {
          label: 'Xen',
          line: [
            [100, 17],
            [10_000, 18],
          ],
        },
      ],
    },
  ],
  [
    'lines with bands',
    rates,
    {
      kind: 'line',
      x: 'packet_rate_pps',
      y: { column: 'longest_gap_ms', scale: 'log' },
      by: 'method',
      band: true,
      spread: 'range',
    },
  ],
  [
    'bars with those of a paper',
    threeNodes,
    {
      kind: 'bars',
      from: 'redirections',
      x: 'gateway',
      y: 'lag_ms',
      ...byControl,
      statistic: 'mean',
      paper: [{ label: 'at', x: 'ga', y: 536 }],
    },
  ],
  [
    'bars on a logarithmic axis',
    threeNodes,
    {
      kind: 'bars',
      from: 'redirections',
      x: 'gateway',
      y: { column: 'lag_ms', scale: 'log' },
      ...byControl,
      paper: [{ label: 'at', x: 'ga', y: 536 }],
    },
  ],
  [
    'distributions',
    threeNodes,
    {
      kind: 'cdf',
      from: 'redirections',
      x: { column: 'lag_ms', scale: 'log' },
      ...byControl,
      paper: [{ label: 'mean', x: 656 }],
    },
  ],
];

/** Two runs of a method that has no difference of redirections. */
function withLevel({ samples, flows, ...others }: ResultTables): ResultTables {
  const runs = [901, 902].map((run) => ({ run, outcome: 'completed', direction: 'forth', method: 'vroom' }));
  return {
    ...others,
    samples: { columns: [...samples.columns, 'method'], rows: [...samples.rows, ...runs] },
    flows: { ...flows, rows: [...flows.rows, ...runs.map(({ run }) => ({ run, d_real_ms: null, lost_ms: 0 }))] },
  };
}

async function draw(tables: ResultTables, definition: object): Promise<DrawnFigure> {
  const figure = await drawFigure(tables, figureDefinition.parse({ name: 'made-up', title: 'Made up', ...definition }));
  if (figure.svg === undefined) throw new Error('nothing was drawn');
  return figure as DrawnFigure;
}

/** Writes the tables as files and reads them again, as `plot` does. */
function throughFiles(tables: ResultTables): ResultTables {
  const again = (name: keyof ResultTables) => parseCsv(formatCsv(tables[name]), `${name}.csv`);
  return {
    samples: again('samples'),
    flows: again('flows'),
    redirections: again('redirections'),
    phases: again('phases'),
  };
}

describe.each(figures)('%s', (_, tables, definition) => {
  let first: DrawnFigure;
  beforeAll(async () => {
    first = await draw(tables(), definition);
  });

  test('are the same bytes when drawn again from the files, after other figures', async () => {
    const again = await draw(throughFiles(tables()), definition);
    expect(again.svg).toBe(first.svg);
    expect(again.csv).toBe(first.csv);
    expect(again.png.equals(first.png)).toBe(true);
  });

  test('have no text that depends on fonts, no dates, and only colours that a dark page replaces', () => {
    expect(first.svg).not.toContain('<text');
    expect(first.svg).not.toMatch(/20\d\d-\d\d/);
    const used = [...first.svg.matchAll(/(?:fill|stroke)="([^"]*)"/g)].map(([, colour]) => colour);
    const known = ['none', 'transparent', ...allColours.map(({ light }) => light)];
    expect([...new Set(used)].filter((colour) => !known.includes(colour!))).toEqual([]);
  });

  test('name all series of their table', () => {
    for (const name of new Set(parseCsv(first.csv, 'x').rows.map(({ series }) => series))) {
      expect(first.svg).toContain(`aria-label="${name}"`);
    }
  });

  test('are a PNG of twice the size of the SVG', () => {
    const [, width, height] = /<svg [^>]*width="(\d+)" height="(\d+)"/.exec(first.svg)!.map(Number);
    expect(first.png.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
    expect([first.png.readUInt32BE(16), first.png.readUInt32BE(20)]).toEqual([pngScale * width!, pngScale * height!]);
  });
});

describe('texts of users', () => {
  const nasty = `<script>alert("1")</script> & 'more' ]]>\u0000 \ud800`;

  test('are escaped in the SVG, whose PNG can be drawn', async () => {
    const { svg } = await draw(twoNodes(), {
      title: nasty,
      caption: nasty,
      kind: 'scatter',
      from: 'flows',
      x: { column: 'd_real_ms', label: nasty },
      y: 'lost_ms',
      by: 'direction',
      labels: { forth: nasty },
      paper: [{ label: nasty, x: 5 }],
    });
    expect(svg).not.toContain('<script');
    expect(svg).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp;');
    expect(svg).not.toMatch(/\0|\ud800/);
  });

  test('with characters that the font lacks stay text', async () => {
    const { svg, png } = await draw(twoNodes(), { title: '損失', kind: 'cdf', from: 'flows', x: 'lost_ms' });
    expect(svg.match(/<text[^>]*>.*?<\/text>/g)).toEqual([expect.stringContaining('損失')]);
    expect(png.length).toBeGreaterThan(1000);
  });

  test('that are long are wrapped within the figure', async () => {
    const words = Array.from({ length: 40 }, () => 'redirections').join(' ');
    const short = await draw(twoNodes(), { title: 'short', kind: 'cdf', from: 'flows', x: 'lost_ms' });
    const long = await draw(twoNodes(), { title: words, kind: 'cdf', from: 'flows', x: 'lost_ms' });
    const sizeOf = (svg: string) => /width="(\d+)" height="(\d+)"/.exec(svg)!.slice(1).map(Number) as [number, number];
    expect(sizeOf(long.svg)[0]).toBeLessThan(1.05 * sizeOf(short.svg)[0]);
    expect(sizeOf(long.svg)[1]).toBeGreaterThan(sizeOf(short.svg)[1]);
  });
});

test('a figure without values is not drawn', async () => {
  const tables = twoNodes();
  const definition = figureDefinition.parse({
    name: 'x',
    title: 'X',
    kind: 'cdf',
    x: 'lost_ms',
    from: 'flows',
    where: { to: 'e9' },
  });
  expect(await drawFigure(tables, definition)).toEqual({ definition, svg: undefined });
});

// How people with a kind of colour blindness see linear RGB (Machado, Oliveira and Fernandes, IEEE TVCG 15, 2009).
const sight = {
  normal: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
};

/** CIELAB of a colour as somebody sees it. */
function seen(colour: string, matrix: readonly number[]): number[] {
  const linear = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  const row = (weights: readonly number[]) => weights.reduce((sum, weight, index) => sum + weight * linear[index]!, 0);
  const [r, g, b] = [0, 3, 6].map((at) => Math.min(1, Math.max(0, row(matrix.slice(at, at + 3))))) as [
    number,
    number,
    number,
  ];
  const [x, y, z] = [
    (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047,
    0.2126 * r + 0.7152 * g + 0.0722 * b,
    (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883,
  ].map((value) => (value > 0.008856 ? Math.cbrt(value) : 7.787 * value + 16 / 116)) as [number, number, number];
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

test.each(Object.keys(sight) as (keyof typeof sight)[])(
  'with %s the colours of series are far from each other',
  (kind) => {
    for (const theme of ['light', 'dark'] as const) {
      const places = markColours.map((colour) => seen(colour[theme], sight[kind]));
      const distances = places.flatMap((a, index) =>
        places.slice(0, index).map((b) => Math.hypot(...a.map((value, axis) => value - b[axis]!))),
      );
      expect(Math.min(...distances)).toBeGreaterThan(30);
    }
  },
);

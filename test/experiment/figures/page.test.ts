import { describe, expect, test } from 'vitest';
import { drawFigure, figureDefinition, type PageContent, resultsPage } from '../../../src/experiment/figures/index.ts';
import { allColours } from '../../../src/experiment/figures/theme.ts';
import { twoNodes } from '../made-up.ts';

const nasty = `<img src=x onerror="alert(1)"> & </style><script>'x'</script>`;

async function pageOf(changes: Partial<PageContent> = {}): Promise<string> {
  const tables = twoNodes();
  const definition = (name: string, more: object) =>
    figureDefinition.parse({
      name,
      title: 'Lost packets',
      caption: nasty,
      kind: 'cdf',
      from: 'flows',
      x: 'lost_packets',
      ...more,
    });
  return resultsPage({
    name: 'two-node',
    startedAt: '2026-11-30T19:02:29.000Z',
    samples: tables.samples,
    parameters: ['direction', 'urpf', 'd_ms'],
    figures: [
      await drawFigure(tables, definition('lost', {})),
      await drawFigure(tables, definition('none', { where: { to: 'e9' } })),
    ],
    environment: {
      kernel: nasty,
      sysctls: { 'net.ipv4.ip_forward': '1' },
      nodes: [{ name: 'g1', boundMs: 0.2 }],
      load: [1, 2],
    },
    ...changes,
  });
}

describe('resultsPage', () => {
  test('loads nothing, runs nothing and links only to files of the folder', async () => {
    const page = await pageOf();
    expect(page).toContain(
      `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    );
    expect(page).not.toMatch(/<(script|img|link|iframe|object|embed|image)\b/);
    expect(page).not.toMatch(/url\((?!#)|@import/);
    const addresses = [...page.matchAll(/\b(?:src|href)="([^"#][^"]*)"/g)].map(([, address]) => address);
    expect(addresses).toEqual([
      'experiment.yaml',
      'samples.csv',
      'summary.csv',
      'environment.json',
      'figures/lost.svg',
      'figures/lost.png',
      'figures/lost.csv',
    ]);
    // The names of SVG's XML namespaces are no addresses to load from.
    const others = page.replaceAll(/xmlns(:\w+)?="[^"]*"/g, '');
    expect(others).not.toMatch(/https?:/);
  });

  test('escapes all texts', async () => {
    const page = await pageOf({ name: nasty, description: nasty });
    expect(page).not.toContain('<img');
    expect(page.match(/<\/style>/g)).toHaveLength(1);
    expect(page.match(/&lt;img src=x onerror=&quot;alert\(1\)&quot;&gt; &amp; /g)!.length).toBeGreaterThanOrEqual(5);
    // An error of a run.
    expect(page).toContain('node &#39;p1&#39;: connection closed &lt;by peer&gt;');
  });

  test('shows runs, figures, summaries, failed runs and the environment', async () => {
    const page = await pageOf();
    expect(page).toContain('102 runs of 102 combinations, 100 completed, 2 failed.');
    expect(page).toContain('In all runs: urpf=strict.');
    expect(page).toContain('<strong>Lost packets</strong> Not drawn: no completed run has a value for it.');
    expect(page).toMatch(
      /<h2>Failed runs<\/h2>\n<div class="wide"><table>\n<thead><tr><th scope="col">run<\/th><th scope="col">direction<\/th><th scope="col">d_ms<\/th>/,
    );
    expect(page).toContain('<th scope="row">load</th><td>1, 2</td>');
    expect(page).toContain('<td>g1</td><td class="number">0.2</td>');
    expect(await pageOf({ samples: { ...twoNodes().samples, rows: [] } })).toContain('<p>No run failed.</p>');
  });

  test('has a dark colour for each colour of the figures', async () => {
    const page = await pageOf();
    for (const { light, dark } of allColours) {
      expect(page).toContain(`svg [fill="${light}"] { fill: ${dark}; }`);
      expect(page).toContain(`svg [stroke="${light}"] { stroke: ${dark}; }`);
    }
  });

  test('opens the summaries of measured values that figures show, else the first', async () => {
    const tables = twoNodes();
    const samples = {
      columns: [...tables.samples.columns, 'duration_ms', 'lost_packets'],
      rows: tables.samples.rows.map((row) => ({ ...row, duration_ms: 5, lost_packets: 1 })),
    };
    const open = (page: string) => [...page.matchAll(/<details open>\n<summary>(\w+)</g)].map(([, name]) => name);
    expect(open(await pageOf({ samples }))).toEqual(['lost_packets']);
    expect(open(await pageOf({ samples, figures: [] }))).toEqual(['duration_ms']);
  });
});

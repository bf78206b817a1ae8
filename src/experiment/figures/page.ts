/** Pure: the page that shows a result folder by itself, without any request to elsewhere. */
import { parametersText, variedParameters } from '../statistics/compare-results.ts';
import { combinationsOf, isFailed, type SummaryRow, summarizeRuns } from '../statistics/runs.ts';
import { parseCsv, type Row, type Table } from '../table.ts';
import { axisOf } from './definition.ts';
import type { DrawnFigure, EmptyFigure } from './draw.ts';
import { pageStyle } from './page-style.ts';
import { escapeXml } from './xml.ts';

export interface PageContent {
  /** Of the experiment. */
  readonly name: string;
  readonly description?: string;
  /** When it began, ISO 8601 in UTC. */
  readonly startedAt: string;
  readonly samples: Table;
  /** The columns of `samples` that are parameters. */
  readonly parameters: readonly string[];
  readonly figures: readonly (DrawnFigure | EmptyFigure)[];
  /** What environment.json contains. */
  readonly environment: unknown;
}

/** A figure's data has a table in the page if it has at most so many rows; links lead to the files of all. */
const mostRowsShown = 80;

/** Returns index.html. All texts are escaped; the files of the folder are only linked. */
export function resultsPage(content: PageContent): string {
  const { name, figures, environment } = content;
  const sections = [
    heading(content),
    ...(figures.length === 0 ? [] : [section('Figures', figures.map(figureHtml).join('\n'))]),
    section('Summary', summaryHtml(content)),
    section('Failed runs', failedHtml(content)),
    section('Environment', valueHtml(environment)),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeXml(name)}</title>
<style>
${pageStyle}
</style>
</head>
<body>
<main>
${sections.join('\n')}
</main>
</body>
</html>
`;
}

function heading({ name, description, startedAt, samples, parameters }: PageContent): string {
  const combinations = combinationsOf(samples, parameters);
  const completed = combinations.reduce((sum, one) => sum + one.completed.length, 0);
  const failed = combinations.reduce((sum, one) => sum + one.failed.length, 0);
  const skipped = samples.rows.length - completed - failed;
  const counts = [
    `${samples.rows.length} runs of ${combinations.length} combinations`,
    `${completed} completed`,
    `${failed} failed`,
    ...(skipped > 0 ? [`${skipped} skipped by the stop rule`] : []),
  ];
  return [
    `<h1>${escapeXml(name)}</h1>`,
    ...(description === undefined ? [] : [`<p>${escapeXml(description)}</p>`]),
    `<p class="facts">Started ${escapeXml(startedAt)}. ${counts.join(', ')}.</p>`,
    `<p class="facts">Files: ${['experiment.yaml', 'samples.csv', 'summary.csv', 'environment.json'].map(link).join(', ')}.</p>`,
  ].join('\n');
}

function section(title: string, html: string): string {
  return `<section>\n<h2>${title}</h2>\n${html}\n</section>`;
}

function link(path: string): string {
  return `<a href="${escapeXml(path)}">${escapeXml(path)}</a>`;
}

function figureHtml(figure: DrawnFigure | EmptyFigure): string {
  const { name, title, caption } = figure.definition;
  if (figure.svg === undefined) {
    return `<figure id="${name}"><figcaption><strong>${escapeXml(title)}</strong> Not drawn: no completed run has a value for it.</figcaption></figure>`;
  }
  const { svg, csv } = figure as DrawnFigure;
  const table = parseCsv(csv, `${name}.csv`);
  const files = ['svg', 'png', 'csv'].map((kind) => link(`figures/${name}.${kind}`)).join(', ');
  return [
    `<figure id="${name}">`,
    svg.trimEnd(),
    `<figcaption>${caption === undefined ? '' : `${escapeXml(caption)} `}<span class="facts">${files}</span></figcaption>`,
    ...(table.rows.length > mostRowsShown ? [] : [details('Data', tableHtml(table))]),
    '</figure>',
  ].join('\n');
}

/** Constant parameters in words, then a table for each measured value; those that figures show are open, else one. */
function summaryHtml({ samples, parameters, figures }: PageContent): string {
  const combinations = combinationsOf(samples, parameters);
  const varied = variedParameters(combinations);
  const first = combinations[0]?.parameters ?? {};
  const constant = Object.fromEntries(Object.entries(first).filter(([name]) => !varied.includes(name)));
  const shown = figures.flatMap(({ definition: { x, y } }) => [x, ...(y === undefined ? [] : [y])]);
  const shownColumns = new Set(shown.map((axis) => axisOf(axis).column));
  const measures = [...Map.groupBy(summarizeRuns(samples, parameters), ({ measure }) => measure)];
  const isAnyShown = measures.some(([measure]) => shownColumns.has(measure));
  const constantText = parametersText(constant);
  return [
    ...(constantText === '' ? [] : [`<p>In all runs: ${escapeXml(constantText)}.</p>`]),
    '<p class="facts">n: completed runs with the value; p5, p95: percentiles; interval: 95 % confidence interval of the median.</p>',
    ...measures.map(([measure, rows], index) =>
      details(measure, tableHtml(summaryOf(rows, varied)), isAnyShown ? shownColumns.has(measure) : index === 0),
    ),
  ].join('\n');
}

function summaryOf(rows: readonly SummaryRow[], varied: readonly string[]): Table {
  const number = (value: number | null) => (value === null ? null : Number(value.toPrecision(4)));
  return {
    columns: [...varied, 'n', 'failed', 'median', 'interval', 'p5', 'p95'],
    rows: rows.map(({ parameters, summary: { n, failed, median, p5, p95, interval } }) => ({
      ...parameters,
      n,
      failed,
      median: number(median),
      interval: interval === null ? null : `${number(interval.low)} to ${number(interval.high)}`,
      p5: number(p5),
      p95: number(p95),
    })),
  };
}

function failedHtml({ samples, parameters }: PageContent): string {
  const failed = samples.rows.filter(isFailed);
  if (failed.length === 0) return '<p>No run failed.</p>';
  const varied = variedParameters(combinationsOf(samples, parameters));
  return tableHtml({ columns: ['run', ...varied, 'outcome', 'error'], rows: failed });
}

function details(title: string, html: string, isOpen = false): string {
  return `<details${isOpen ? ' open' : ''}>\n<summary>${escapeXml(title)}</summary>\n${html}\n</details>`;
}

function tableHtml({ columns, rows }: Table): string {
  const cell = (value: Row[string] | undefined) =>
    `<td${typeof value === 'number' ? ' class="number"' : ''}>${escapeXml(String(value ?? '–'))}</td>`;
  const lines = rows.map((row) => `<tr>${columns.map((column) => cell(row[column])).join('')}</tr>`);
  const headings = columns.map((column) => `<th scope="col">${escapeXml(column)}</th>`).join('');
  return `<div class="wide"><table>\n<thead><tr>${headings}</tr></thead>\n<tbody>\n${lines.join('\n')}\n</tbody>\n</table></div>`;
}

function isRow(value: unknown): value is Row {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  return Object.values(value).every((field) => field === null || typeof field !== 'object');
}

/** A JSON value: maps as tables of two columns, lists of flat maps as tables with a row for each. */
function valueHtml(value: unknown): string {
  if (value === null || typeof value !== 'object') return escapeXml(String(value));
  if (Array.isArray(value)) {
    if (value.length === 0) return '–';
    if (value.every((item) => item === null || typeof item !== 'object')) return escapeXml(value.join(', '));
    if (value.every(isRow)) return tableHtml({ columns: [...new Set(value.flatMap(Object.keys))], rows: value });
    return `<ol>${value.map((item) => `<li>${valueHtml(item)}</li>`).join('')}</ol>`;
  }
  const lines = Object.entries(value).map(
    ([name, item]) => `<tr><th scope="row">${escapeXml(name)}</th><td>${valueHtml(item)}</td></tr>`,
  );
  return lines.length === 0 ? '–' : `<table><tbody>\n${lines.join('\n')}\n</tbody></table>`;
}

import { allColours, background } from './theme.ts';

/** In a dark page, each colour of a figure becomes its counterpart. */
const darkFigures = allColours
  .flatMap(({ light, dark }) => ['fill', 'stroke'].map((kind) => `  svg [${kind}="${light}"] { ${kind}: ${dark}; }`))
  .join('\n');

/** The style of index.html: light or dark as the reader's system is, and light on paper. */
export const pageStyle = `:root { color-scheme: light dark; --ink: #1c1c1c; --faint: #595959; --line: #d9d9d9; --back: ${background.light}; --link: #005a8c; }
body { margin: 0; color: var(--ink); background: var(--back); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 0.5rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 0.75rem; border-bottom: 1px solid var(--line); }
a { color: var(--link); }
figure { margin: 0 0 2rem; }
figure svg { display: block; width: 100%; max-width: 56rem; height: auto; }
figcaption { max-width: 48rem; }
.facts { color: var(--faint); font-size: 0.9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; margin: 0.5rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.2rem 0.9rem 0.2rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
td { overflow-wrap: anywhere; }
summary { cursor: pointer; padding: 0.2rem 0; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececec; --faint: #b4b4b4; --line: #3c3c3c; --back: ${background.dark}; --link: #7cc4f0; }
${darkFigures}
}
@media print { details { display: block; } }`;

import loadHighs, { type Highs } from 'highs';

export interface Term {
  readonly factor: number;
  readonly variable: string;
}

/** Minimises `objective` so that the terms of every row sum to at least `atLeast`, with `bounds` on the variables. */
export interface LinearProgram {
  readonly objective: readonly Term[];
  readonly rows: readonly { readonly terms: readonly Term[]; readonly atLeast: number }[];
  /** The lines of the bounds section; a variable without one is at least 0. */
  readonly bounds: readonly string[];
}

export interface LinearOptimum {
  readonly objective: number;
  readonly values: ReadonlyMap<string, number>;
}

// The package's types declare the loader one level deeper (as a CommonJS default) than its ES module exports it.
const load = loadHighs as unknown as typeof loadHighs.default;
let highs: Promise<Highs> | undefined;

/** Solves a linear program with HiGHS. Throws if HiGHS finds no optimum. */
export async function minimise(program: LinearProgram): Promise<LinearOptimum> {
  highs ??= load();
  const solver = await highs;
  const solution = solver.solve(formatProgram(program), { output_flag: false });
  if (solution.Status !== 'Optimal') throw new Error(`the linear program ended as '${solution.Status}'`);
  const values = Object.entries(solution.Columns).map(([name, column]): [string, number] => [name, column.Primal]);
  return { objective: solution.ObjectiveValue, values: new Map(values) };
}

/** Writes a program in the CPLEX LP format. */
function formatProgram({ objective, rows, bounds }: LinearProgram): string {
  return [
    'Minimize',
    formatTerms(objective),
    'Subject To',
    ...rows.map(({ terms, atLeast }) => `${formatTerms(terms)} >= ${atLeast}`),
    'Bounds',
    ...bounds,
    'End',
  ].join('\n');
}

function formatTerms(terms: readonly Term[]): string {
  return terms.map(({ factor, variable }) => `${factor < 0 ? '-' : '+'} ${Math.abs(factor)} ${variable}`).join(' ');
}

/** Systems of difference constraints, by the algorithm of Bellman and Ford. Pure. */

/** Constraints on values at the nodes 0 to `size` - 1: value(to) <= value(from) + bound. */
export interface Differences {
  readonly size: number;
  readonly constraints: readonly Constraint[];
}

export interface Constraint {
  readonly from: number;
  readonly to: number;
  readonly bound: number;
}

/** Constraints around a circle that contradict each other: their bounds sum to less than 0. */
interface Contradiction {
  readonly circle: readonly Constraint[];
}

/**
 * Finds the largest values that satisfy all constraints and are at most the values given, or constraints that
 * contradict each other. Exact if the numbers are integers; a value may be infinite.
 */
export function largestValues(
  { size, constraints }: Differences,
  atMost: Float64Array,
): { readonly values: Float64Array } | Contradiction {
  const after = Array.from({ length: size }, (): Constraint[] => []);
  for (const constraint of constraints) after[constraint.from]!.push(constraint);
  const values = atMost.slice();
  /** The constraint that gave each node its value, unless it has the one given. */
  const reason: (Constraint | undefined)[] = Array.from({ length: size }, () => undefined);
  let waiting = Array.from({ length: size }, (_, node) => node);
  while (waiting.length > 0) {
    const lowered = new Set<number>();
    for (const from of waiting) {
      for (const constraint of after[from]!) {
        const { to, bound } = constraint;
        if (values[from]! + bound >= values[to]!) continue;
        values[to] = values[from]! + bound;
        reason[to] = constraint;
        lowered.add(to);
      }
    }
    const circle = circleIn(reason);
    if (circle !== undefined) return { circle };
    waiting = [...lowered];
  }
  return { values };
}

/** Finds a circle among the constraints that gave nodes their values; there is one if they contradict each other. */
function circleIn(reason: readonly (Constraint | undefined)[]): Constraint[] | undefined {
  /** The node where the walk began that passed a node first. */
  const passedFrom = new Int32Array(reason.length).fill(-1);
  for (const start of reason.keys()) {
    let at = start;
    while (passedFrom[at]! < 0 && reason[at] !== undefined) {
      passedFrom[at] = start;
      at = reason[at]!.from;
    }
    if (passedFrom[at] !== start || reason[at] === undefined) continue;
    const circle = [reason[at]!];
    for (let node = reason[at]!.from; node !== at; node = reason[node]!.from) circle.push(reason[node]!);
    return circle;
  }
  return undefined;
}

/** The cheapest circulation in a network, by the network simplex method. Pure. */

/**
 * Arcs between the nodes 0 to `size` - 1; each carries up to its capacity, at a cost per unit that may be negative.
 * Capacities and costs are integers, of which all sums along a path or a cycle are exact in a double.
 */
export interface Network {
  readonly size: number;
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly capacity: Float64Array;
  readonly cost: Float64Array;
}

export interface Circulation {
  /** By arc. */
  readonly flow: Float64Array;
  /**
   * By node: an arc from u to v that is not full has potential(v) <= potential(u) + cost, one that is not empty has
   * potential(v) >= potential(u) + cost. So they are the optimum of the dual program.
   */
  readonly potential: Float64Array;
}

const none = -1;
/** The states of arcs: in the tree, empty, full. Arcs outside the tree are empty or full. */
const [inTree, empty, full] = [0, 1, -1];

/**
 * Finds the cheapest circulation. Exact: no operation rounds. Ends on every network, because the trees stay strongly
 * feasible (Cunningham, "A network simplex method", 1976): from each node some flow could be sent to the root.
 */
export function cheapestCirculation({ size, from, to, capacity, cost }: Network): Circulation {
  const arcs = from.length;
  const flow = new Float64Array(arcs);
  const state = new Int8Array(arcs).fill(empty);
  // The tree. At first it has only arcs that are not in the network: from each node to the root, free, without limit.
  const root = size;
  const potential = new Float64Array(size + 1);
  const parent = new Int32Array(size + 1).fill(root);
  const depth = new Int32Array(size + 1).fill(1);
  /** The arc between a node and its parent; `none`: not in the network. */
  const arcUp = new Int32Array(size + 1).fill(none);
  /** The children of a node are a list, in any order. */
  const firstChild = new Int32Array(size + 1).fill(none);
  const nextSibling = new Int32Array(size + 1).fill(none);
  const earlierSibling = new Int32Array(size + 1).fill(none);
  parent[root] = none;
  depth[root] = 0;
  for (let node = 0; node < size; node += 1) addChild(root, node);

  function addChild(above: number, node: number): void {
    const next = firstChild[above]!;
    [firstChild[above], nextSibling[node], earlierSibling[node]] = [node, next, none];
    if (next !== none) earlierSibling[next] = node;
  }
  function removeChild(above: number, node: number): void {
    const [earlier, next] = [earlierSibling[node]!, nextSibling[node]!];
    if (earlier === none) firstChild[above] = next;
    else nextSibling[earlier] = next;
    if (next !== none) earlierSibling[next] = earlier;
  }

  const blockSize = Math.max(50, Math.ceil(Math.sqrt(arcs)));
  let position = 0;
  /** Finds an arc that makes the circulation cheaper: the best one of the next block of arcs that has any. */
  function findEntering(): number {
    let [entering, best] = [none, 0];
    for (let seen = 1; seen <= arcs; seen += 1) {
      const arc = position;
      position = position + 1 === arcs ? 0 : position + 1;
      const gain = -state[arc]! * (cost[arc]! + potential[from[arc]!]! - potential[to[arc]!]!);
      if (gain > best) [entering, best] = [arc, gain];
      if (entering !== none && seen % blockSize === 0) break;
    }
    return entering;
  }

  /** How much more can be sent over the arc between a node and its parent. */
  function roomUp(node: number): number {
    const arc = arcUp[node]!;
    if (arc === none) return Number.POSITIVE_INFINITY;
    return from[arc] === node ? capacity[arc]! - flow[arc]! : flow[arc]!;
  }
  function roomDown(node: number): number {
    const arc = arcUp[node]!;
    // Nothing was sent to the root, so nothing can be taken back.
    if (arc === none) return 0;
    return from[arc] === node ? flow[arc]! : capacity[arc]! - flow[arc]!;
  }
  function sendUp(node: number, amount: number): void {
    const arc = arcUp[node]!;
    if (arc !== none) flow[arc] = flow[arc]! + (from[arc] === node ? amount : -amount);
  }

  function commonAncestor(one: number, other: number): number {
    let [a, b] = [one, other];
    while (a !== b) {
      if (depth[a]! >= depth[b]!) a = parent[a]!;
      else b = parent[b]!;
    }
    return a;
  }

  /** Sends as much as fits around the cycle that the arc closes. It replaces an arc that this fills or empties. */
  function enter(entering: number): void {
    const [tail, head] =
      state[entering] === empty ? [from[entering]!, to[entering]!] : [to[entering]!, from[entering]!];
    const join = commonAncestor(tail, head);
    // Of the arcs with the least room the last one on the cycle, from the join on: so the tree stays strongly feasible.
    let amount = capacity[entering]!;
    let [leaving, isBehindTail] = [none, false];
    for (let at = tail; at !== join; at = parent[at]!) {
      if (roomDown(at) < amount) [amount, leaving, isBehindTail] = [roomDown(at), at, true];
    }
    for (let at = head; at !== join; at = parent[at]!) {
      if (roomUp(at) <= amount) [amount, leaving, isBehindTail] = [roomUp(at), at, false];
    }
    if (amount > 0) {
      flow[entering] = flow[entering]! + state[entering]! * amount;
      for (let at = tail; at !== join; at = parent[at]!) sendUp(at, -amount);
      for (let at = head; at !== join; at = parent[at]!) sendUp(at, amount);
    }
    if (leaving === none) {
      state[entering] = -state[entering]!;
      return;
    }
    const left = arcUp[leaving]!;
    if (left !== none) state[left] = flow[left] === 0 ? empty : full;
    state[entering] = inTree;
    if (isBehindTail) rehang(leaving, tail, head, entering);
    else rehang(leaving, head, tail, entering);
  }

  /** Takes the part of the tree below `top` off, and joins its node `inner` to `outer` by an arc. */
  function rehang(top: number, inner: number, outer: number, arc: number): void {
    let [node, above, by] = [inner, outer, arc];
    for (;;) {
      const [next, nextBy] = [parent[node]!, arcUp[node]!];
      removeChild(next, node);
      addChild(above, node);
      parent[node] = above;
      arcUp[node] = by;
      if (node === top) break;
      [node, above, by] = [next, node, nextBy];
    }
    const shift = (from[arc] === outer ? cost[arc]! : -cost[arc]!) + potential[outer]! - potential[inner]!;
    // Passes the whole part, each node before its children.
    for (let at = inner; ; ) {
      potential[at] = potential[at]! + shift;
      depth[at] = depth[parent[at]!]! + 1;
      let next = firstChild[at]!;
      for (; next === none && at !== inner; at = parent[at]!) next = nextSibling[at]!;
      if (next === none) break;
      at = next;
    }
  }

  for (let entering = findEntering(); entering !== none; entering = findEntering()) enter(entering);
  return { flow, potential: potential.subarray(0, size) };
}

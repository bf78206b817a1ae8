/** Something on a node that may stop packets of a VN although all parts of the VN are there. */
export interface Obstacle {
  readonly kind:
    | 'forward-filter'
    | 'input-filter'
    | 'output-filter'
    | 'tunnel-port'
    | 'tunnel-source'
    | 'routing-rule'
    | 'new-interfaces';
  /** What is in the way. */
  readonly message: string;
  /** What to do. */
  readonly hint: string;
  /** Whether packets are certainly stopped; otherwise they only may be. */
  readonly blocks: boolean;
}

export interface NodeObstacle extends Obstacle {
  readonly node: string;
}

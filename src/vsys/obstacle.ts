/** What on a node may keep packets of a VN from their way, though everything of the VN is there. */
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
  /** Whether packets are stopped for certain; else only something may happen. */
  readonly blocks: boolean;
}

export interface NodeObstacle extends Obstacle {
  readonly node: string;
}

/** PLACEHOLDER of the check of configurations, to be replaced by the one that refuses dangerous statements. */
import type { DaemonKind } from './daemon.ts';

/** Throws VnmError `forbidden` for a configuration that may make a daemon read, write or run something on the node. */
export function checkDaemonConfig(_kind: DaemonKind, _text: string): void {}

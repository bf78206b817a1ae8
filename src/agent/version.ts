import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { packageVersion } from '../model/package.ts';

declare const __PL_VNM_VERSION__: string | undefined;

export interface AgentVersion {
  readonly version: string;
  /** SHA-256 of the agent's file, in hex. */
  readonly digest: string;
}

/** `file`: the path of this program, a single file when it is bundled. */
export function agentVersion(file: string): AgentVersion {
  return { version: ownVersion(), digest: createHash('sha256').update(readFileSync(file)).digest('hex') };
}

function ownVersion(): string {
  return typeof __PL_VNM_VERSION__ === 'string' ? __PL_VNM_VERSION__ : packageVersion();
}

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

declare const __PL_VNM_VERSION__: string | undefined;

export interface AgentVersion {
  readonly version: string;
  /** sha256 of the agent's file, in hex. */
  readonly digest: string;
}

/** `file`: of this program; one file when it is bundled. */
export function agentVersion(file: string): AgentVersion {
  return { version: packageVersion(), digest: createHash('sha256').update(readFileSync(file)).digest('hex') };
}

function packageVersion(): string {
  if (typeof __PL_VNM_VERSION__ === 'string') return __PL_VNM_VERSION__;
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
}

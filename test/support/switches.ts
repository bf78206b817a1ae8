import { findProgram } from '../../src/agent/daemons/programs.ts';

/** Says what is missing; undefined if switches can be tested here. */
export function lackForSwitches(): string | undefined {
  return findProgram('ovs-vswitchd') === undefined ? 'they need ovs-vswitchd (openvswitch-switch)' : undefined;
}

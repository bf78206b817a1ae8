/** Armed steps of the userspace plane: stores to the memory that the forwarding reads. */
import type { Actuator, Supplier } from '../actuator.ts';
import { changeSwitches, type SwitchStep } from './switches.ts';

export function createUserspaceActuator(memory: SharedArrayBuffer): Actuator<SwitchStep, null> {
  const values = new Int32Array(memory);
  return {
    take() {},
    warmUp() {},
    wake() {},
    perform(step) {
      changeSwitches(values, step);
      return undefined;
    },
  };
}

export function createUserspaceSupplier(memory: SharedArrayBuffer): Supplier<SwitchStep, null> {
  return { actuator: { kind: 'userspace', memory }, supply: async () => null, end() {} };
}

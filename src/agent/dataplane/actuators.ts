/** The actuators by plane. They are created in the timing thread. */
import type { Actuator, ActuatorData } from './actuator.ts';
import { createKernelActuator } from './kernel/actuator.ts';

const actuators: {
  readonly [Kind in ActuatorData['kind']]: (data: Extract<ActuatorData, { kind: Kind }>) => Actuator;
} = {
  kernel: ({ waiting }) => createKernelActuator(waiting),
};

export function createActuator(data: ActuatorData): Actuator {
  return actuators[data.kind](data);
}

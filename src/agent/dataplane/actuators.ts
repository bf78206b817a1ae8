/** The actuators by plane. They are created in the timing thread. */
import type { Actuator, ActuatorData } from './actuator.ts';
import { createKernelActuator } from './kernel/actuator.ts';
import { createUserspaceActuator } from './userspace/actuator.ts';

const actuators: {
  readonly [Kind in ActuatorData['kind']]: (data: Extract<ActuatorData, { kind: Kind }>) => Actuator;
} = {
  kernel: ({ waiting }) => createKernelActuator(waiting),
  userspace: ({ memory }) => createUserspaceActuator(memory),
};

export function createActuator(data: ActuatorData): Actuator {
  return (actuators[data.kind] as (data: ActuatorData) => Actuator)(data);
}

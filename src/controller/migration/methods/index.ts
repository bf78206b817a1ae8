/** All methods by name. */
import { type MethodName, usualMethod } from '../../base/phase.ts';
import type { Method } from '../method.ts';
import { flowMethod } from './flow.ts';
import { cloneMethod, liveMethod } from './guest.ts';
import { instanceMethod } from './instance.ts';
import { vroomMethod } from './vroom.ts';

const methods: Record<MethodName, Method> = {
  instance: instanceMethod,
  vroom: vroomMethod,
  flow: flowMethod,
  clone: cloneMethod,
  live: liveMethod,
};

export function methodNamed(name: MethodName = usualMethod): Method {
  return methods[name];
}

/** All methods by name. */
import { type MethodName, usualMethod } from '../../base/phase.ts';
import type { Method } from '../method.ts';
import { instanceMethod } from './instance.ts';

const methods: Record<MethodName, Method> = { instance: instanceMethod };

export function methodNamed(name: MethodName = usualMethod): Method {
  return methods[name];
}

/** The configuration of a switch as text: what `daemon_up` has for a router of kind `switch`. */
import * as z from 'zod';
import { messageOf, VnmError } from '../model/errors.ts';
import {
  type FlowEntry,
  maxFlowEntries,
  maxPortNumber,
  maxSwitchPorts,
  type SwitchConfig,
} from '../model/flow-entry.ts';

const interfaceName = z.string().regex(/^[a-z0-9][a-z0-9.-]{0,14}$/);
const mac = z.string().regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
const prefix = z.cidrv4();

export const flowEntrySchema = z.lazy(() =>
  z.strictObject({
    in: interfaceName.exactOptional(),
    source: prefix.exactOptional(),
    destination: prefix,
    output: z.strictObject({ interface: interfaceName, sender: mac, receiver: mac }),
  }),
) satisfies z.ZodType<FlowEntry>;

const switchSchema = z.lazy(() =>
  z.strictObject({
    ports: z
      .array(z.strictObject({ interface: interfaceName, number: z.int().min(1).max(maxPortNumber) }))
      .max(maxSwitchPorts),
    entries: z.array(flowEntrySchema).max(maxFlowEntries),
  }),
);

export function switchText({ ports, entries }: SwitchConfig): string {
  return JSON.stringify({ ports, entries });
}

/** Throws VnmError `invalid-input` for a text that is no configuration of a switch, or one that contradicts itself. */
export function parseSwitch(text: string): SwitchConfig {
  const config = read(text);
  const names = new Set(config.ports.map((port) => port.interface));
  const numbers = new Set(config.ports.map(({ number }) => number));
  if (names.size < config.ports.length || numbers.size < config.ports.length)
    throw invalid('two of its ports have the same interface or number');
  for (const { in: port, output } of config.entries) {
    const unknown = [port, output.interface].find((name) => name !== undefined && !names.has(name));
    if (unknown !== undefined) throw invalid(`an entry names '${unknown}', which is none of its ports`);
  }
  return config;
}

function read(text: string): SwitchConfig {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw invalid(messageOf(error));
  }
  const parsed = switchSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalid(`${issue!.path.join('.')}: ${issue!.message}`);
}

function invalid(why: string): VnmError {
  return new VnmError('invalid-input', `invalid configuration of a switch: ${why}`);
}

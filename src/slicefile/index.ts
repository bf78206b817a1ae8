/** Slice files: reads YAML into a `Slice`, or reports all its faults with their positions. */
export { checkSubnets } from './checks/subnet.ts';
export { type Fault, formatFault } from './fault.ts';
export { sliceJsonSchema } from './json-schema.ts';
export { checkSlice, parseSlice, readSlice, readSliceText, sliceNameIn } from './parse.ts';
export { parseRate } from './rate.ts';

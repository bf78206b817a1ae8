/** Slice files: YAML to a `Slice`, or to all its faults with their positions. */
export { checkSubnets, type SliceInFile } from './checks/subnet.ts';
export { type Fault, formatFault, type Position } from './fault.ts';
export { sliceJsonSchema } from './json-schema.ts';
export { type CheckedSlice, checkSlice, parseSlice, readSlice, readSliceText } from './parse.ts';

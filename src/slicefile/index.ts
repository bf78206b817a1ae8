/** Slice files: reads YAML into a `Slice`, or reports all its faults with their positions. */
export { buildLatency } from './build.ts';
export { checkSubnets } from './checks/subnet.ts';
export { readConfigFile } from './configs.ts';
export { atKey, atValue, type Fault, formatFault, type Problem, sortFaults } from './fault.ts';
export { readText } from './file-text.ts';
export { type ImageFile, readImageFile } from './images.ts';
export { fileSchema, sliceJsonSchema } from './json-schema.ts';
export { gatewayName } from './names.ts';
export { checkSlice, parseSlice, readSlice, readSliceText, sliceNameIn } from './parse.ts';
export type { Path } from './path.ts';
export { parseRate } from './rate.ts';
export { readBySchema } from './read-by-schema.ts';
export { latencySchema, payloadSchema, rateSchema } from './schema.ts';
export { name, text } from './text-schema.ts';
export { hintAmong, list, quote } from './words.ts';

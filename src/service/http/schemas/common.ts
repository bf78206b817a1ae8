/** Schemas shared by routes. Schemas of answers only document: answers are not checked (server.ts). */
import * as z from 'zod';
import { type ErrorJson, errorCodes } from '../../../model/errors.ts';
import { type NameRule, placementName, sliceName, vnName } from '../../../slicefile/names.ts';

const named = ({ noun, pattern, rule }: NameRule) => z.string().regex(pattern, `not a ${noun}: ${rule}`);

export const slice = named(sliceName).describe('Name of a slice in the database');
export const vn = named(vnName).describe('Name of a VN; may be omitted if the slice has one VN');
export const placement = named(placementName);

/** In UTC, with microseconds if it is that precise. */
export const instant = z.iso.datetime().describe('ISO 8601 in UTC');
export const ms = z.number();

export const sliceParams = z.strictObject({ slice });
export const id = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
/** The number of records to return. */
export const limit = (most: number, usual: number) => z.coerce.number().int().min(1).max(most).default(usual);

export const noOptions = z.strictObject({});
export const vnOption = z.strictObject({ vn: vn.exactOptional() });

export const errorAnswer = z
  .object({
    error: z.object({
      code: z.enum(errorCodes),
      message: z.string(),
      hint: z.string().exactOptional().describe('What to do'),
    }),
  })
  .describe('The error') satisfies z.ZodType<ErrorJson>;

/** The errors that any route may return. */
export const errors = { '4xx': errorAnswer, '5xx': errorAnswer };

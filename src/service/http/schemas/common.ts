/** What many routes have in common. Schemas of answers describe; they do not hold an answer back (server.ts). */
import * as z from 'zod';
import { type ErrorJson, errorCodes } from '../../../model/errors.ts';
import { type NameRule, placementName, sliceName, vnName } from '../../../slicefile/names.ts';

const named = ({ noun, pattern, rule }: NameRule) => z.string().regex(pattern, `not a ${noun}: ${rule}`);

export const slice = named(sliceName).describe('Name of a slice in the database');
export const vn = named(vnName).describe('Which VN; may be left out where the slice has one');
export const placement = named(placementName);

/** In UTC; with microseconds where it has them. */
export const instant = z.iso.datetime().describe('ISO 8601 in UTC');
export const ms = z.number();

export const sliceParams = z.strictObject({ slice });
export const id = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
/** How many to answer. */
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
  .describe('What went wrong') satisfies z.ZodType<ErrorJson>;

/** Any route may answer these. */
export const errors = { '4xx': errorAnswer, '5xx': errorAnswer };

import * as z from 'zod';
import type { EventView } from '../../../controller/views/status.ts';
import { instant } from './common.ts';

export const event = z.object({
  id: z.number(),
  at: instant,
  slice: z.string().nullable(),
  kind: z.string(),
  message: z.string(),
  detail: z.unknown().describe('Depends on the kind'),
}) satisfies z.ZodType<EventView>;

/** Parts of schemas for texts that have a meaning. */
import * as z from 'zod';
import { messageOf, VnmError } from '../model/errors.ts';
import { type NameRule, parseName } from './names.ts';
import { excerpt } from './words.ts';

interface Texts {
  readonly title: string;
  readonly description: string;
  readonly pattern?: string;
}

/** A text that `parse` converts to a value; a VnmError becomes an issue with its message and hint. */
export function text<T>(texts: Texts, parse: (text: string) => T) {
  return z
    .string()
    .meta({ ...texts })
    .transform((value, context): T => {
      try {
        return parse(value);
      } catch (error) {
        if (!(error instanceof VnmError)) throw error;
        context.addIssue({ code: 'custom', message: excerpt(messageOf(error)), params: { hint: error.hint } });
        return z.NEVER;
      }
    });
}

export function name(rule: NameRule) {
  const texts = { title: rule.noun, description: rule.rule, pattern: rule.pattern.source };
  return text(texts, (value) => parseName(value, rule));
}

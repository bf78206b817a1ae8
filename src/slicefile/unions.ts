import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

/** With the issues of the one form that the value comes nearest to, in place of one issue for all forms that it may have. */
export function inOneForm(issues: readonly Issue[]): Issue[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'invalid_union') return [issue];
    // Where the value has another type than every form, report the issues of the first form.
    const form = issue.errors.find((inner) => !inner.some(isOtherType)) ?? issue.errors[0] ?? [];
    return inOneForm(form.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })));
  });
}

function isOtherType({ code, path }: Issue): boolean {
  return code === 'invalid_type' && path.length === 0;
}

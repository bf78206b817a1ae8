import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

/** Replaces the issue of a union by the issues of the form that the value is closest to. */
export function inOneForm(issues: readonly Issue[]): Issue[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'invalid_union') return [issue];
    // If the value has another type than every form, report the issues of the first form.
    const form = issue.errors.find((inner) => !inner.some(isOtherType)) ?? issue.errors[0] ?? [];
    return inOneForm(form.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })));
  });
}

function isOtherType({ code, path }: Issue): boolean {
  return code === 'invalid_type' && path.length === 0;
}

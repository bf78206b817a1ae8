/** Reads a Dockerfile, and says which of this project's rules it breaks. */

export interface Instruction {
  readonly line: number;
  /** In capitals. */
  readonly name: string;
  readonly text: string;
}

const names =
  'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN SHELL STOPSIGNAL USER VOLUME WORKDIR'.split(' ');

/** Joins continued lines, and drops comments. */
export function instructionsIn(text: string): Instruction[] {
  const found: Instruction[] = [];
  let begun: { line: number; parts: string[] } | undefined;
  text.split('\n').forEach((raw, index) => {
    const part = raw.trim();
    if (part === '' || part.startsWith('#')) return;
    begun ??= { line: index + 1, parts: [] };
    begun.parts.push(part.replace(/\\$/, '').trim());
    if (part.endsWith('\\')) return;
    const [, name = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(begun.parts.join(' ')) ?? [];
    found.push({ line: begun.line, name: name.toUpperCase(), text: rest });
    begun = undefined;
  });
  return found;
}

/** Each fault as `LINE: what is wrong`. `exists`: whether the build's context has a path. */
export function faultsIn(text: string, exists: (path: string) => boolean): string[] {
  const all = instructionsIn(text);
  const stages = all.flatMap(({ name, text: rest }) => (name === 'FROM' ? (/ AS (\S+)$/i.exec(rest)?.[1] ?? []) : []));
  const last = all.slice(all.findLastIndex(({ name }) => name === 'FROM'));
  const inLast = (wanted: string) => last.filter(({ name }) => name === wanted).at(-1);
  const faults = all.flatMap((one) => faultsOf(one, stages, exists).map((fault) => `${one.line}: ${fault}`));
  if (all[0]?.name !== 'FROM' && all[0]?.name !== 'ARG') faults.push('1: the first instruction must be FROM or ARG');
  if (/^(root|0)?(:|$)/.test(inLast('USER')?.text ?? '')) faults.push(`${last[0]?.line ?? 1}: the image runs as root`);
  if (inLast('ENTRYPOINT') === undefined) faults.push(`${last[0]?.line ?? 1}: the image has no ENTRYPOINT`);
  return faults;
}

function faultsOf(
  { name, text }: Instruction,
  stages: readonly string[],
  exists: (path: string) => boolean,
): readonly string[] {
  switch (name) {
    case 'FROM': {
      const [image = ''] = text.split(' ');
      const isFixed = stages.includes(image) || (/[:@]/.test(image) && !image.endsWith(':latest'));
      return isFixed ? [] : [`image '${image}' has no fixed tag`];
    }
    case 'RUN':
      return faultsOfRun(text);
    case 'COPY':
      return faultsOfCopy(text, stages, exists);
    case 'ADD':
      return ['COPY says better what happens than ADD'];
    case 'WORKDIR':
      return text.startsWith('/') ? [] : ['a WORKDIR is a full path'];
    case 'CMD':
    case 'ENTRYPOINT':
      return isWordList(text) ? [] : [`${name} is a list in JSON, so that signals reach the program`];
    default:
      return names.includes(name) ? [] : [`unknown instruction '${name}'`];
  }
}

function faultsOfRun(text: string): string[] {
  if (!/\bapt-get install\b/.test(text)) return [];
  return [
    ...(/\bapt-get update\b.*&&.*\bapt-get install\b/.test(text) ? [] : ['apt-get installs from old lists']),
    ...(/\binstall\b.* (--yes|-y)\b/.test(text) ? [] : ['apt-get would ask']),
    ...(text.includes('--no-install-recommends') ? [] : ['apt-get installs what is only recommended']),
    ...(text.includes('rm -rf /var/lib/apt/lists/*') ? [] : ['the lists of apt-get stay in the image']),
  ];
}

function faultsOfCopy(text: string, stages: readonly string[], exists: (path: string) => boolean): string[] {
  const words = text.split(/\s+/);
  const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
  if (from !== undefined) return stages.includes(from) ? [] : [`there is no stage '${from}'`];
  const sources = words.filter((word) => !word.startsWith('--')).slice(0, -1);
  if (sources.length === 0) return ['COPY needs a source and a target'];
  return sources.filter((path) => !exists(path)).map((path) => `the build has no '${path}'`);
}

function isWordList(text: string): boolean {
  try {
    const words: unknown = JSON.parse(text);
    return Array.isArray(words) && words.every((word) => typeof word === 'string');
  } catch {
    return false;
  }
}

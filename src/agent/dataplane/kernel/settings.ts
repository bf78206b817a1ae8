/**
 * Files below /proc/sys/net: accessed directly in the node's own stack, and through a process that enters a namespace.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { messageOf, VnmError } from '../../../model/errors.ts';
import { run } from '../../run.ts';
import { describeStack, ownStack, type Settings } from '../planner/state.ts';
import { kernelWords } from './ip.ts';

const root = '/proc/sys/net';

export async function readSettings(namespace: string, files: readonly string[]): Promise<Settings> {
  if (namespace === ownStack) return readOwn(files);
  const values = (await inside(namespace, 'cat', files)).split('\n');
  return new Map(files.map((file, index) => [file, values[index]!.trim()]));
}

/**
 * Reads synchronously, since a read takes some microseconds and there are many. Skips the settings of an interface that
 * has gone meanwhile.
 */
function readOwn(files: readonly string[]): Settings {
  const values = new Map<string, string>();
  for (const file of files) {
    try {
      values.set(file, readFileSync(`${root}/${file}`, 'utf8').trim());
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return values;
}

/** Throws VnmError `failed`. */
export async function writeSettings(namespace: string, settings: Settings): Promise<void> {
  if (namespace === ownStack) {
    for (const [file, value] of settings) await writeOwn(file, value);
    return;
  }
  for (const value of new Set(settings.values())) {
    const files = [...settings.keys()].filter((file) => settings.get(file) === value);
    await inside(namespace, 'tee', files, value);
  }
}

async function writeOwn(file: string, value: string): Promise<void> {
  try {
    await writeFile(`${root}/${file}`, value);
  } catch (error) {
    throw new VnmError('failed', `cannot set ${file} to ${value}: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Runs a command in a namespace. Not with `ip netns exec`: its own view of /sys would hide what the agent creates
 * later.
 */
async function inside(
  namespace: string,
  command: 'cat' | 'tee',
  files: readonly string[],
  stdin = '',
): Promise<string> {
  const paths = files.map((file) => `${root}/${file}`);
  const { code, stdout, stderr } = await run(
    'nsenter',
    [`--net=/run/netns/${namespace}`, '--', command, ...paths],
    stdin,
  );
  if (code === 0) return stdout;
  const what = command === 'tee' ? `cannot set ${files.join(', ')} to ${stdin}` : `cannot read ${files.join(', ')}`;
  throw new VnmError('failed', `${what}${describeStack(namespace)}: ${kernelWords(stderr)}`);
}

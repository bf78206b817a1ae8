/** Copies the images of virtual machines to nodes: each once, by its digest. */
import { type FileHandle, open } from 'node:fs/promises';
import { messageOf, VnmError } from '../../model/errors.ts';
import type { ImageConfig } from '../../model/machine.ts';
import type { NodeName } from '../../model/names.ts';
import { isImageRouter } from '../../model/router.ts';
import type { Slice } from '../../model/slice.ts';
import { maxImagePart } from '../../vsys/machine.ts';
import { type Context, signalOption } from '../base/context.ts';
import type { Batches } from '../batches/batches.ts';
import { type Agents, hasFeature } from './agents.ts';

/**
 * Makes sure that each node has the images that its batch needs, all nodes at once. Throws VnmError `unsupported` for a
 * node that cannot run machines, `invalid-input` if the file is no longer what it was when the slice file was read.
 */
export async function provideImages(
  context: Pick<Context, 'report' | 'signal'>,
  agents: Agents,
  batches: Batches,
): Promise<void> {
  const wanted = [...batches].flatMap(([node, operations]) => {
    const digests = operations.flatMap((operation) => (operation.op === 'machine_up' ? [operation.image] : []));
    return digests.length === 0 || agents.missing.has(node) ? [] : [{ node, digests: new Set(digests) }];
  });
  for (const { node } of wanted) requireMachines(agents, node);
  await Promise.all(
    wanted.map(async ({ node, digests }) => {
      for (const digest of digests) await provideImage(context, agents, node, imageOf(agents.slice, digest));
    }),
  );
}

/** Throws VnmError `unsupported` for a node that cannot run virtual machines. */
export function requireMachines(agents: Agents, node: NodeName): void {
  const { facts } = agents.get(node);
  if (hasFeature(facts, 'machine')) return;
  const feature = facts.features.find(({ name }) => name === 'machine');
  const why = feature?.detail ?? `its agent has version ${facts.agent.version}, which knows no virtual machines`;
  throw new VnmError('unsupported', `node '${node}' cannot run routers of kind image: ${why}`, {
    hint: 'install qemu-system-x86 there, or choose a placement without this node',
  });
}

function imageOf({ name, vns }: Slice, digest: string): ImageConfig {
  const routers = vns.flatMap((vn) => vn.routers.filter(isImageRouter));
  const found = routers.find(({ config }) => config.digest === digest);
  if (found !== undefined) return found.config;
  throw new VnmError('not-found', `slice '${name}' has no image ${digest.slice(0, 12)}`);
}

async function provideImage(
  { report, signal }: Pick<Context, 'report' | 'signal'>,
  agents: Agents,
  node: NodeName,
  { image: path, digest, bytes: total }: ImageConfig,
): Promise<void> {
  const { call } = agents.get(node);
  const options = signalOption({ signal });
  const there = await call('image_state', { digest }, options);
  if (there.complete) return;
  const file = await openImage(path, total);
  try {
    report({ kind: 'note', text: `copy image ${path} (${Math.ceil(total / 1024 / 1024)} MiB) to node '${node}'` });
    let { bytes: offset } = there;
    if (offset >= total) offset = 0;
    while (offset < total) {
      const part = Buffer.alloc(Math.min(maxImagePart, total - offset));
      const { bytesRead } = await file.read(part, 0, part.length, offset);
      if (bytesRead !== part.length) throw changed(path);
      const data = part.toString('base64');
      ({ bytes: offset } = await call('image_write', { digest, total, offset, data }, options));
    }
  } catch (error) {
    if (!(error instanceof VnmError) || error.code !== 'failed' || !error.message.includes('arrived with the digest'))
      throw error;
    throw changed(path, error);
  } finally {
    await file.close();
  }
}

async function openImage(path: string, bytes: number): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw new VnmError('invalid-input', `cannot read the image ${path}: ${messageOf(error)}`, {
      hint: 'a node needs it: put it back, or run pl-vnm install SLICE.yaml with another one',
      cause: error,
    });
  }
  if ((await file.stat()).size === bytes) return file;
  await file.close();
  throw changed(path);
}

function changed(path: string, cause?: unknown): VnmError {
  return new VnmError('invalid-input', `the image ${path} has changed since the slice file was read`, {
    hint: 'uninstall the slice and install it again with the new image, or put the former one back',
    cause,
  });
}

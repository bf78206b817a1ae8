/** Slice files from the files of testbeds and tools. */
import { VnmError } from '../model/errors.ts';
import type { Slice } from '../model/slice.ts';
import { checkSlice, formatFault } from '../slicefile/index.ts';
import { hintAmong, quote } from '../slicefile/words.ts';
import { readSource, type Source } from './detect.ts';
import { beginning, faultAt } from './fault.ts';
import type { Format, Imported, Remark, Topology } from './imported.ts';
import { LegalNames, legalName } from './names.ts';
import { type NodeOptions, nodesOf } from './nodes.ts';
import { type Edge, textOfNodes, textOfTopology } from './slice-text.ts';
import { freeSubnet } from './subnet.ts';
import { routersOf } from './topology.ts';
import { type Change, updateNodes } from './update.ts';

export type { Source } from './detect.ts';
export { formats, type Remark } from './imported.ts';
export type { Change } from './update.ts';

export interface ImportOptions extends NodeOptions {
  /** Absent: the content decides. */
  readonly format?: Format | undefined;
  /** The name of a new slice; absent: the file's, or the name of the file. */
  readonly name?: string | undefined;
  /** The subnet of a new slice; absent: a private one without addresses of the files. */
  readonly vnet?: string | undefined;
  /** Routers of a topology that get a gateway and an end host, by their names in the slice file. */
  readonly endHosts?: readonly string[] | undefined;
}

export interface ImportResult {
  /** The slice file. */
  readonly text: string;
  readonly slice: Slice;
  /** What the files are: "Ansible inventory". */
  readonly titles: readonly string[];
  /** What was not imported, or not as it is in the files. */
  readonly remarks: readonly Remark[];
}

/**
 * Makes a slice file from files of testbeds and tools: nodes from one or several inventories, or a VN on the local
 * testbed from a topology. Throws VnmError `invalid-input` with the place of what is wrong.
 */
export function importSlice(sources: readonly Source[], options: ImportOptions = {}): ImportResult {
  const read = sources.map((source) => readSource(source, options));
  const names = new LegalNames();
  const topology = topologyIn(read);
  const made = topology === undefined ? sliceOfNodes(read, options, names) : sliceOfTopology(topology, options, names);
  const checked = checkSlice(made.text, 'slice');
  if ('faults' in checked) {
    throw new VnmError(
      'invalid-input',
      `${read[0]!.file}: the slice file would have faults: ${formatFault(checked.faults[0]!)}`,
    );
  }
  return {
    ...made,
    slice: checked.slice,
    titles: read.map(({ title }) => title),
    remarks: [...remarksOf(read, names), ...made.remarks],
  };
}

/**
 * Updates the nodes of a slice file from inventories: addresses and logins of nodes with the same name, and further
 * nodes. Everything else stays, with comments and the order of keys. Throws VnmError `invalid-input` if the file has
 * faults before or after that.
 */
export function updateSlice(
  sources: readonly Source[],
  target: Source,
  options: ImportOptions = {},
): ImportResult & { readonly changes: readonly Change[] } {
  const read = sources.map((source) => readSource(source, options));
  const topology = topologyIn(read);
  if (topology !== undefined) {
    const hint = 'an update keeps routers and links: import the topology into a new file';
    throw new VnmError('invalid-input', `${topology.file}: a topology has no hosts for an update`, { hint });
  }
  refuseFaults(target, 'the slice file has faults');
  const names = new LegalNames();
  const { nodes, remarks } = nodesOf(nodesIn(read), options, names);
  const updated = updateNodes(target, nodes);
  const slice = refuseFaults({ ...target, text: updated.text }, 'the updated slice file would have faults');
  return {
    text: updated.text,
    slice,
    titles: read.map(({ title }) => title),
    changes: updated.changes,
    remarks: [...remarksOf(read, names), ...remarks],
  };
}

function refuseFaults({ file, text }: Source, what: string): Slice {
  const checked = checkSlice(text, file);
  if ('slice' in checked) return checked.slice;
  throw new VnmError('invalid-input', [`${what}:`, ...checked.faults.map(formatFault)].join('\n'));
}

type Lab = Imported & { content: Topology };

/** The topology among the files; it must be the only file. */
function topologyIn(read: readonly Imported[]): Lab | undefined {
  const found = read.find((one): one is Lab => 'devices' in one.content);
  if (found === undefined || read.length === 1) return found;
  const hint = 'import the topology into a new file, then update that file from inventories (--update)';
  throw new VnmError('invalid-input', `${found.file}: a topology cannot be imported together with other files`, {
    hint,
  });
}

function nodesIn(read: readonly Imported[]) {
  return read.flatMap(({ content }) => ('nodes' in content ? content.nodes : []));
}

interface Made {
  readonly text: string;
  readonly remarks: readonly Remark[];
}

function sliceOfNodes(read: readonly Imported[], options: ImportOptions, names: LegalNames): Made {
  const { nodes, addresses, remarks } = nodesOf(nodesIn(read), options, names);
  if (nodes.length === 0) throw faultAt(read[0]!.file, beginning, 'no file has a node to import');
  const vnet = options.vnet ?? freeSubnet({ links: [], gateways: [], endHosts: [] }, addresses);
  if (vnet === undefined) throw noSubnet(read);
  const text = textOfNodes(nodes, { slice: sliceName(read, options), vnet, origin: originOf(read) });
  return { text, remarks };
}

function sliceOfTopology(topology: Lab, options: ImportOptions, names: LegalNames): Made {
  const routers = routersOf(topology.content, topology.file, names);
  const edges = edgesAt(options.endHosts ?? [], routers.routers, names);
  const vnet = options.vnet ?? freeSubnet({ links: routers.links, gateways: edges, endHosts: edges }, []);
  if (vnet === undefined) throw noSubnet([topology]);
  const text = textOfTopology(routers, edges, {
    slice: sliceName([topology], options),
    vnet,
    origin: originOf([topology]),
  });
  return { text, remarks: routers.remarks };
}

/** A gateway and an end host at each of these routers. */
function edgesAt(wanted: readonly string[], routers: readonly string[], names: LegalNames): Edge[] {
  return [...new Set(wanted)].map((router) => {
    if (!routers.includes(router)) {
      throw new VnmError('not-found', `the topology has no router ${quote(router)} for an end host`, {
        hint: hintAmong(router, routers, 'routers'),
      });
    }
    return { router, gateway: names.free(`gw-${router}`), endHost: names.free(`host-${router}`) };
  });
}

function noSubnet(read: readonly Imported[]): VnmError {
  const message = `${read[0]!.file}: every private subnet has an address of a node`;
  return new VnmError('invalid-input', message, { hint: 'choose one with --vnet' });
}

function sliceName(read: readonly Imported[], { name }: ImportOptions): string {
  const [first] = read;
  const ofFile = first!.file.replace(/^.*\//, '').replace(/(\.clab)?\.[^.]*$/, '');
  return name ?? legalName(first!.name ?? ofFile, 'imported');
}

function originOf(read: readonly Imported[]): string {
  return read.map(({ file, title }) => `${quote(file.replace(/^.*\//, '')).slice(1, -1)} (${title})`).join(', ');
}

function remarksOf(read: readonly Imported[], names: LegalNames): Remark[] {
  const [{ file }] = read as [Imported, ...Imported[]];
  const { changed } = names;
  const renamed = { file, position: beginning, text: `names changed: ${changed.join(', ')}` };
  return [...read.flatMap(({ remarks }) => remarks), ...(changed.length === 0 ? [] : [renamed])];
}

/** Which format a file has, by its content. */
import { VnmError } from '../model/errors.ts';
import { tooLargeIn } from '../slicefile/document.ts';
import { beginning, faultAt } from './fault.ts';
import { ansibleList, ansibleYaml } from './formats/ansible.ts';
import { looksLikeIni, readAnsibleIni } from './formats/ansible-ini.ts';
import { containerlab } from './formats/containerlab.ts';
import { fablib } from './formats/fablib.ts';
import type { Reading, TreeFormat } from './formats/format.ts';
import { geni } from './formats/geni.ts';
import { graphml } from './formats/graphml.ts';
import { looksLikeLabConf, readKathara } from './formats/kathara.ts';
import { sndlib } from './formats/sndlib.ts';
import { terraform } from './formats/terraform.ts';
import type { Format, Imported } from './imported.ts';
import { Part } from './part.ts';
import { parseXml } from './trees/xml.ts';
import { parseYaml } from './trees/yaml.ts';

/** A file to import. */
export interface Source {
  readonly file: string;
  readonly text: string;
}

interface ReadOptions {
  readonly format?: Format | undefined;
  /** The login, for formats that name several. */
  readonly user?: string | undefined;
}

/** Formats in XML, by the name of the root element. */
function xmlFormats(user: string | undefined): ReadonlyMap<string, [Format, TreeFormat]> {
  return new Map<string, [Format, TreeFormat]>([
    ['rspec', ['geni', geni(user)]],
    ['graphml', ['graphml', graphml]],
    ['network', ['sndlib', sndlib]],
  ]);
}

/** Formats in YAML or JSON; those of Ansible are one for users. */
const yamlFormats: readonly [Format, TreeFormat][] = [
  ['fablib', fablib],
  ['terraform', terraform],
  ['containerlab', containerlab],
  ['ansible', ansibleList],
  ['ansible', ansibleYaml],
];

/** Reads a file. Throws VnmError `invalid-input` with the place of what is wrong, or if it has no known format. */
export function readSource({ file, text: given }: Source, options: ReadOptions): Imported {
  const text = given.replace(/^\uFEFF/, '');
  // As for slice files, which is far more than an inventory needs.
  const tooLarge = tooLargeIn(text);
  if (tooLarge !== undefined) throw faultAt(file, beginning, ...tooLarge);
  if (text.trim() === '') throw faultAt(file, beginning, 'the file is empty');
  const { format } = options;
  if (format === 'kathara' || (format === undefined && looksLikeLabConf(text))) {
    return { file, format: 'kathara', title: 'Kathara lab', ...readKathara(text, file) };
  }
  if (/^\s*</.test(text)) {
    const tree = parseXml(text, file);
    const found = xmlFormats(options.user).get(tree.rootName);
    return fromTree(Part.rootOf(tree), found === undefined ? [] : [found], format);
  }
  const isIni = format === undefined || format === 'ansible' ? isIniOnly(text, file) : false;
  if (isIni) return { file, format: 'ansible', title: 'Ansible inventory', ...readAnsibleIni(text, file) };
  return fromTree(Part.rootOf(parseYaml(text, file)), yamlFormats, format);
}

/** Whether a text is an inventory in INI, and no YAML or JSON with a map or list. */
function isIniOnly(text: string, file: string): boolean {
  if (!looksLikeIni(text)) return false;
  try {
    const { root } = parseYaml(text, file);
    return !(root instanceof Map) && !(Array.isArray(root) && root.some((item) => typeof item === 'object'));
  } catch (error) {
    if (error instanceof VnmError) return true;
    throw error;
  }
}

function fromTree(root: Part, known: readonly [Format, TreeFormat][], wanted: Format | undefined): Imported {
  const named = known.filter(([name]) => wanted === undefined || name === wanted);
  const fitting = named.filter(([, one]) => one.fits(root));
  const [found, ...others] = fitting;
  if (found === undefined) throw unknownFormat(root, wanted);
  if (others.length > 0) {
    const names = [...new Set(fitting.map(([name]) => name))];
    if (names.length > 1) throw root.fault(`the file could be ${names.join(' or ')}`, 'say which with --format');
  }
  const [format, { title, read }] = found;
  // A part of its own: `fits` looked at keys that `read` may not use.
  const fresh = root.again();
  const reading: Reading = read(fresh);
  return { file: root.file, format, title, ...reading, remarks: [...reading.remarks, ...fresh.unread()] };
}

function unknownFormat(root: Part, wanted: Format | undefined): VnmError {
  if (wanted !== undefined)
    return root.fault(`the file is not of format ${wanted}`, 'leave out --format to let the content decide');
  if (root.has('slice') && root.has('substrate')) {
    return root.fault('this is a slice file', 'name it with --update, and give an inventory to import');
  }
  if (root.has('terraform_version')) {
    return root.fault("this is Terraform's state", "give the output of 'terraform output -json'");
  }
  const hint =
    "known are FABlib's listings, GENI manifests, Ansible inventories, 'terraform output -json', containerlab and Kathara topologies, GraphML, SNDlib";
  return root.fault('the file has no known format', hint);
}

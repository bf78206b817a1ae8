/** Kathara's `lab.conf`: devices, each with interfaces in collision domains; netkit's is the same. */
import { faultAt } from '../fault.ts';
import type { ImportedSegment } from '../imported.ts';
import { Tally } from '../tally.ts';
import type { Reading } from './format.ts';

const assignment = /^([a-z0-9_]{1,30})\[(\w+)\]=(["']?)([^"']+)\3(?:\s+#.*)?$/;
const metadata = /^LAB_(NAME|DESCRIPTION|VERSION|AUTHOR|EMAIL|WEB)=(.*)$/;
/** Names that Kathara keeps for itself. */
const reserved = new Set(['shared', '_test']);

/** Whether a text has a line of a `lab.conf`. */
export function looksLikeLabConf(text: string): boolean {
  return text.split(/\r?\n/).some((line) => /^[a-z0-9_]{1,30}\[\w+\]=/.test(line.trim()));
}

/** Reads the devices and their collision domains. Throws VnmError `invalid-input` with the place of a fault. */
export function readKathara(text: string, file: string): Reading {
  const devices = new Map<string, { line: number }>();
  const segments: ImportedSegment[] = [];
  const interfaces = new Map<string, string>();
  const options = new Tally(file);
  let name: string | undefined;
  text.split(/\r?\n/).forEach((untrimmed, index) => {
    const line = untrimmed.trim();
    const position = { line: index + 1, column: 1 };
    if (line === '' || line.startsWith('#')) return;
    const [, key, value = ''] = metadata.exec(line) ?? [];
    if (key !== undefined) {
      if (key === 'NAME') name = value.replaceAll(/["']/g, '').trim();
      else options.add(`LAB_${key}`, position);
      return;
    }
    const [, device, argument = '', , content = ''] = assignment.exec(line) ?? [];
    if (device === undefined)
      throw faultAt(file, position, `${line} is no line of a lab.conf`, 'write it like r1[0]="A"');
    if (reserved.has(device))
      throw faultAt(file, position, `${device} is a reserved name`, 'give the device another name');
    if (!devices.has(device)) devices.set(device, { line: index + 1 });
    if (!/^\d+$/.test(argument)) {
      options.add(`DEVICE[${argument}]`, position);
      return;
    }
    // A MAC address may follow the domain.
    const domain = content.trim().split('/', 1)[0]!;
    if (!/^\w+$/.test(domain))
      throw faultAt(file, position, `${domain} is no name of a collision domain`, 'use letters and digits');
    const before = interfaces.get(`${device}[${Number(argument)}]`);
    if (before !== undefined) {
      throw faultAt(
        file,
        position,
        `interface ${argument} of ${device} is already in collision domain ${before}`,
        'number each interface once',
      );
    }
    interfaces.set(`${device}[${Number(argument)}]`, domain);
    segments.push({ position, medium: domain, ends: [device] });
  });
  const content = {
    devices: [...devices].map(([device, { line }]) => ({ name: device, position: { line, column: 1 } })),
    segments,
  };
  return { ...(name === undefined || name === '' ? {} : { name }), content, remarks: options.remarks() };
}

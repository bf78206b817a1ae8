import { maxNumber, maxPerSlot, numbersNeeded } from '../../model/ids.ts';
import { maxVns } from '../../model/room.ts';
import { countsOf, type Draft } from '../draft.ts';
import { atKey, atValue, type Problem } from '../fault.ts';
import { isMap, valueAt } from '../path.ts';
import { quote } from '../words.ts';
import { repeats } from './references.ts';

/** Checks that the file has either `vn` and `placements`, or `vns` with their own placements. */
export function checkForm(value: unknown): Problem[] {
  if (!isMap(value)) return [];
  const has = (key: string) => valueAt(value, [key]) !== undefined;
  if (!has('vns')) return has('vn') ? [] : [atValue([], "'vn' is missing", 'a slice has vn and placements, or vns')];
  return [
    ...(has('vn') ? [atKey(['vn'], "'vn' together with 'vns'", 'move the VN into vns')] : []),
    ...(has('placements')
      ? [atKey(['placements'], "'placements' together with 'vns'", 'each VN in vns has its own placements')]
      : []),
  ];
}

/** Checks that names are unique across the VNs of a slice, and that their counts are within the limits. */
export function checkVns({ number, vns }: Draft): Problem[] {
  return [...checkNames(vns), ...checkLimits(vns), ...checkNumbers(number, vns)];
}

/** Checks that a large slice has the numbers that it needs. */
function checkNumbers(number: number | undefined, vns: Draft['vns']): Problem[] {
  const count = numbersNeeded(countsOf(vns));
  const last = maxNumber - count + 1;
  if (number === undefined || number > maxNumber || number <= last || last < 1) return [];
  const message = `a slice of this size takes ${count} numbers, here ${number} to ${number + count - 1}`;
  return [atValue(['number'], message, `at most ${last}`)];
}

function checkNames(vns: Draft['vns']): Problem[] {
  const sameVn = repeats(vns, (vn) => (vn.name === '' ? undefined : vn.name)).map(({ item }) =>
    atValue([...item.path, 'name'], `two VNs are named ${quote(item.name)}`, 'names of VNs are unique in a slice'),
  );
  const routers = vns.flatMap((vn) => vn.routers.entries.map((router) => ({ ...router, vn })));
  const sameRouter = repeats(routers, ({ name }) => name)
    .filter(({ item, first }) => item.vn !== first.vn)
    .map(({ item, first }) =>
      atValue(
        item.path,
        `router ${quote(item.name)} is also in VN ${quote(first.vn.name)}`,
        'names of routers are unique in a slice',
      ),
    );
  return [...sameVn, ...sameRouter];
}

/** Checks counts, because the ids of kernel objects come from fixed ranges. */
function checkLimits(vns: Draft['vns']): Problem[] {
  const tooManyVns = vns.length > maxVns ? [atKey(['vns'], `${vns.length} VNs in one slice`, `at most ${maxVns}`)] : [];
  const tunnels = vns.flatMap((vn) => {
    const count = vn.links.entries.length + vn.gateways.entries.length;
    const message = `VN ${quote(vn.name)} has ${count} links and gateways`;
    return count > maxPerSlot ? [atKey(vn.path, message, `at most ${maxPerSlot} together`)] : [];
  });
  return [
    ...tooManyVns,
    ...tunnels,
    ...checkTotal(vns, 'gateways', 'gateways'),
    ...checkTotal(vns, 'endHosts', 'end hosts'),
  ];
}

function checkTotal(vns: Draft['vns'], key: 'gateways' | 'endHosts', noun: string): Problem[] {
  const count = vns.reduce((sum, vn) => sum + vn[key].entries.length, 0);
  const last = vns.findLast((vn) => vn[key].entries.length > 0);
  if (count <= maxPerSlot || last === undefined) return [];
  return [atKey(last[key].path, `the slice has ${count} ${noun}`, `at most ${maxPerSlot}`)];
}

import type { MovesPlan } from '../controller/plan-moves.ts';
import { ms, quotedName, table } from './output.ts';

/**
 * Formats a plan of a method that moves routers for people: which routers move in which order, and in words what will
 * happen.
 */
export function movesPlanText(result: MovesPlan): string {
  return [heading(result), order(result), flows(result), words(result)].join('\n\n');
}

function heading({ vn, from, to, groups, method }: MovesPlan): string {
  const most = Math.max(1, ...groups.map((group) => group.length));
  const how = most === 1 ? 'one router after the other' : `up to ${most} routers at the same time`;
  return `VN '${vn}' from ${quotedName(from)} to ${quotedName(to)}, method ${method}, ${how}`;
}

function order({ groups, moves }: MovesPlan): string {
  const planned = groups.flatMap((group, index) =>
    group.map(({ router, from, to, neighbours, entries, daemon, controlPlane }) => [
      index + 1,
      router,
      from,
      to,
      neighbours.map((name, at) => withEntries(name, entries?.[at])).join(', '),
      daemon === null ? '' : `${daemon}${controlPlane === null ? '' : `, ${controlPlane}`}`,
    ]),
  );
  const isPlanned = (router: string) => planned.some(([, name]) => name === router);
  const others = moves
    .filter(({ router }) => !isPlanned(router))
    .map(({ router, from, to }) => ['', router, from, from === to ? '(stays)' : to, '', '']);
  const heads = ['turn', 'router', 'from node', 'to node', 'neighbours that flip', 'routing daemon'];
  return table(heads, [...planned, ...others]);
}

/** What a neighbour changes: of a switch its entries. */
function withEntries(name: string, entries = 0): string {
  return entries === 0 ? name : `${name} (${entries} ${entries === 1 ? 'entry' : 'entries'})`;
}

function flows({ flows: list }: MovesPlan): string {
  const rows = list.map((flow) => [
    `${flow.from} -> ${flow.to}`,
    ms(flow.oldLatencyMs),
    ms(flow.newLatencyMs),
    flow.predictedLost === null ? 'unknown' : ms(flow.predictedLost),
  ]);
  return table(['flow', 'old path ms', 'new path ms', 'lost packets'], rows);
}

function words(result: MovesPlan): string {
  const { refusals, checked, groups } = result;
  const refused = refusals.map(({ message, hint }) => {
    const more = hint === null ? '' : `\n  hint: ${hint}`;
    return `migrate would refuse this: ${message}${more}`;
  });
  const unasked = checked || groups.length === 0 ? [] : ['the nodes were not asked, and may refuse more'];
  return [...(groups.length === 0 ? [] : [outcome(result)]), ...nothing(result), ...refused, ...unasked].join('\n');
}

function outcome({ flows: list, method }: MovesPlan): string {
  if (method === 'flow')
    return 'a switch gets all entries at its new place before its neighbours change theirs, so nothing is lost.';
  const isUnknown = list.some(({ predictedLost }) => predictedLost === null);
  if (isUnknown && method !== 'vroom') return 'what arrives while the guest stands still is lost.';
  if (list.some(({ predictedLost }) => predictedLost === null))
    return 'routing daemons that restart cold lose their neighbours, so packets are lost until they have learned their routes again.';
  return 'both places of a router forward while its neighbours flip their links, so nothing is lost in any uRPF mode.';
}

function nothing({ moves }: MovesPlan): string[] {
  return moves.every(({ from, to }) => from === to) ? ['every router is already there: nothing would change.'] : [];
}

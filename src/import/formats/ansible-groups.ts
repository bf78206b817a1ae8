/** Groups and hosts of an Ansible inventory, and which variables a host has. */
import type { Position } from '../../slicefile/fault.ts';
import { beginning, faultAt } from '../fault.ts';
import type { ImportedNode, Remark } from '../imported.ts';
import { Tally } from '../tally.ts';
import { present } from './format.ts';
import { sshArguments } from './ssh-arguments.ts';

interface Variable {
  readonly text: string;
  readonly position: Position;
}

export type Variables = Map<string, Variable>;

interface Group {
  readonly vars: Variables;
  readonly hosts: Set<string>;
  readonly children: Set<string>;
}

/** Far more than a slice has nodes. */
const maxHosts = 4096;
const maxGroups = 1000;

/** The variables that say how a host is reached; of each the newest name first. */
const names = {
  host: ['ansible_host', 'ansible_ssh_host'],
  port: ['ansible_port', 'ansible_ssh_port'],
  user: ['ansible_user', 'ansible_ssh_user'],
  key: ['ansible_ssh_private_key_file', 'ansible_private_key_file'],
  connection: ['ansible_connection'],
  arguments: ['ansible_ssh_common_args', 'ansible_ssh_extra_args'],
};
const used = new Set(Object.values(names).flat());

/** Connections that are SSH. */
const overSsh = /(^|\.)(ssh|smart|paramiko|paramiko_ssh|libssh|network_cli|netconf)$/;

/** An inventory while it is read. */
export class Inventory {
  readonly #file: string;
  readonly #groups = new Map<string, Group>();
  readonly #hosts = new Map<string, { position: Position; vars: Variables }>();
  readonly #unused: Tally;
  readonly remarks: Remark[] = [];

  constructor(file: string) {
    this.#file = file;
    this.#unused = new Tally(file);
    this.group('all');
  }

  /** The group with a name, which is made if it does not exist. */
  group(name: string): Group {
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    if (this.#groups.size >= maxGroups) throw faultAt(this.#file, beginning, `more than ${maxGroups} groups`);
    const made = { vars: new Map(), hosts: new Set<string>(), children: new Set<string>() };
    this.#groups.set(name, made);
    return made;
  }

  hasGroup(name: string): boolean {
    return this.#groups.has(name);
  }

  /**
   * Adds the hosts of a pattern like `web[01:20].example.org` or `db:2222` to a group; variables of later lines win.
   */
  addHosts(group: string, pattern: string, position: Position, vars: Variables): void {
    const [, hosts = pattern, port] =
      /^\[(.+)\]:(\d+)$/.exec(pattern) ?? /^((?:[^:[\]]|\[[^\]]*\])*):(\d+)$/.exec(pattern) ?? [];
    for (const host of this.#expand(hosts, position)) {
      const known = this.#hosts.get(host) ?? { position, vars: new Map() };
      if (port !== undefined) known.vars.set('ansible_port', { text: port, position });
      for (const [name, variable] of vars) known.vars.set(name, variable);
      this.#hosts.set(host, known);
      this.group(group).hosts.add(host);
      if (this.#hosts.size > maxHosts) throw faultAt(this.#file, position, `more than ${maxHosts} hosts`);
    }
  }

  /** The hosts as nodes. Throws VnmError `invalid-input` with the place of a variable that is no value. */
  nodes(): ImportedNode[] {
    const order = this.#groupsByRank();
    const nodes = [...this.#hosts].flatMap(([name, { position, vars }]) => {
      const merged: Variables = new Map(
        [...order.filter((group) => group.members.has(name)).map((group) => group.vars), vars].flatMap((own) => [
          ...own,
        ]),
      );
      return this.#node(name, position, merged);
    });
    this.#remarkUnused();
    return nodes;
  }

  #node(name: string, position: Position, vars: Variables): ImportedNode[] {
    const first = (of: readonly string[]) => of.map((one) => vars.get(one)).find((one) => one !== undefined);
    const textOf = (of: readonly string[]): string | undefined => {
      const found = first(of);
      if (found === undefined || found.text.trim() === '') return undefined;
      if (!/\{[{%]/.test(found.text)) return found.text.trim();
      const hint = 'write the value; templates are not evaluated';
      throw faultAt(this.#file, found.position, `host ${name}: ${found.text} is a template`, hint);
    };
    const connection = textOf(names.connection);
    if (connection === 'local') {
      this.#remark(position, `host ${name} is not imported: its connection is local`);
      return [];
    }
    if (connection !== undefined && !overSsh.test(connection)) {
      this.#remark(position, `host ${name}: its connection is ${connection}, but a node is reached by SSH`);
    }
    const port = textOf(names.port);
    if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)) {
      const hint = 'a port is a whole number from 1 to 65535';
      throw faultAt(this.#file, first(names.port)!.position, `host ${name}: ${port} is no port`, hint);
    }
    const args = names.arguments.map((one) => textOf([one]) ?? '').join(' ');
    const login = {
      port: port === undefined ? undefined : Number(port),
      user: textOf(names.user),
      key: textOf(names.key),
    };
    const { unused, ...way } = sshArguments(args, present(login));
    for (const word of unused) this.#unused.add(`SSH argument ${word}`, first(names.arguments)!.position);
    return [
      {
        name,
        file: this.#file,
        position,
        host: textOf(names.host) ?? name,
        ...way,
      },
    ];
  }

  /**
   * The groups with their members, those whose variables win last: `all`, then by depth, by `ansible_group_priority`,
   * by name. Throws VnmError `invalid-input` if a group contains itself.
   */
  #groupsByRank(): { vars: Variables; members: ReadonlySet<string> }[] {
    const depths = new Map<string, number>();
    const members = new Map<string, Set<string>>();
    const visit = (name: string, above: readonly string[]): Set<string> => {
      if (above.includes(name)) {
        throw faultAt(this.#file, beginning, `group ${name} contains itself`);
      }
      const done = members.get(name);
      if (done !== undefined) return done;
      const { hosts, children } = this.group(name);
      const all = new Set(hosts);
      for (const child of children) for (const host of visit(child, [...above, name])) all.add(host);
      members.set(name, all);
      return all;
    };
    for (const name of [...this.#groups.keys()]) if (name !== 'all') visit(name, []);
    const deepen = (name: string, depth: number) => {
      if ((depths.get(name) ?? 0) >= depth) return;
      depths.set(name, depth);
      for (const child of this.group(name).children) deepen(child, depth + 1);
    };
    for (const name of this.#groups.keys()) deepen(name, 1);
    members.set('all', new Set(this.#hosts.keys()));
    const rank = (name: string) => (name === 'all' ? 0 : depths.get(name)!);
    const priority = (name: string) => Number(this.group(name).vars.get('ansible_group_priority')?.text ?? 1) || 1;
    return [...this.#groups.keys()]
      .toSorted((a, b) => rank(a) - rank(b) || priority(a) - priority(b) || (a < b ? -1 : 1))
      .map((name) => ({ vars: this.group(name).vars, members: members.get(name)! }));
  }

  #remarkUnused(): void {
    const holders = [...this.#groups.values(), ...this.#hosts.values()].map(({ vars }) => vars);
    for (const [name, { position }] of holders.flatMap((vars) => [...vars])) {
      if (!used.has(name) && name !== 'ansible_group_priority') this.#unused.add(`variable ${name}`, position);
    }
    this.remarks.push(...this.#unused.remarks());
    const named = [...this.#groups.keys()].filter((name) => name !== 'all' && name !== 'ungrouped');
    if (named.length > 0) this.#remark(beginning, `not imported: groups (${named.join(', ')})`);
  }

  #remark(position: Position, text: string): void {
    this.remarks.push({ file: this.#file, position, text });
  }

  /** The hosts of a pattern: `[01:20]` and `[a:f]`, with a step as `[0:10:2]`, both ends included. */
  #expand(pattern: string, position: Position): string[] {
    const match = /^(.*?)\[([^\][]*:[^\][]*)\](.*)$/s.exec(pattern);
    if (match === null) return [pattern];
    const [, before = '', range = '', after = ''] = match;
    const values = rangeOf(range);
    if (values === undefined) {
      throw faultAt(
        this.#file,
        position,
        `host ${pattern}: ${range} is no range`,
        'write it like web[01:20] or db[a:f]',
      );
    }
    const rest = this.#expand(after, position);
    if (values.length * rest.length > maxHosts) throw faultAt(this.#file, position, `more than ${maxHosts} hosts`);
    return values.flatMap((value) => rest.map((end) => `${before}${value}${end}`));
  }
}

function rangeOf(range: string): string[] | undefined {
  const [from = '', to = '', step = '1', ...more] = range.split(':');
  if (more.length > 0 || !/^[1-9]\d{0,4}$/.test(step)) return undefined;
  const isNumeric = /^\d{0,9}$/.test(from) && /^\d{1,9}$/.test(to);
  if (!isNumeric && !(/^[A-Za-z]$/.test(from) && /^[A-Za-z]$/.test(to))) return undefined;
  const [first, last] = isNumeric ? [Number(from), Number(to)] : [from.charCodeAt(0), to.charCodeAt(0)];
  if (first > last || (last - first) / Number(step) >= maxHosts) return undefined;
  const padded = from.length > 1 && from.startsWith('0');
  if (isNumeric && padded && from.length !== to.length) return undefined;
  const count = Math.floor((last - first) / Number(step)) + 1;
  return Array.from({ length: count }, (_, index) => {
    const value = first + index * Number(step);
    return isNumeric ? String(value).padStart(padded ? from.length : 1, '0') : String.fromCharCode(value);
  });
}

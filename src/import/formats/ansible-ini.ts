/** Ansible inventories in INI: sections are groups, `:children` and `:vars` say more about them. */
import { faultAt } from '../fault.ts';
import { Inventory, type Variables } from './ansible-groups.ts';
import type { Reading } from './format.ts';

/** A host or a range of hosts, with a port, variables, or a comment. */
const hostLine = /^[\w.-]+(?:\[[\w:]+\][\w.-]*)*(?::\d+)?(?:\s+[A-Za-z_]\w*=.*|\s+#.*)?$/;
const section = /^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?$/;

/** Whether a text can be an inventory in INI: it has a section, or its lines are hosts with or without variables. */
export function looksLikeIni(text: string): boolean {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const told = lines.filter((line) => line !== '' && !/^[#;]/.test(line));
  if (told.some((line) => section.test(line))) return true;
  return told.length > 0 && told.every((line) => hostLine.test(line));
}

/** Reads the inventory. Throws VnmError `invalid-input` with the place of a line that is none of a section's kind. */
export function readAnsibleIni(text: string, file: string): Reading {
  const inventory = new Inventory(file);
  /** Groups that only others mention, until they have a section. */
  const pending = new Map<string, { line: number; why: string }>();
  let group = 'ungrouped';
  let state = 'hosts';
  text.split(/\r?\n/).forEach((untrimmed, index) => {
    const line = untrimmed.trim();
    const position = { line: index + 1, column: untrimmed.length - untrimmed.trimStart().length + 1 };
    const wrong = (message: string, hint?: string) => faultAt(file, position, message, hint);
    if (line === '' || line.startsWith('#') || line.startsWith(';')) return;
    const header = section.exec(line);
    if (header !== null) {
      [, group = '', state = 'hosts'] = header;
      if (!['hosts', 'children', 'vars'].includes(state)) {
        throw wrong(`section [${group}:${state}] is of an unknown kind`, 'kinds are :children and :vars');
      }
      if (state !== 'vars') pending.delete(group);
      else if (!inventory.hasGroup(group)) pending.set(group, { line: index + 1, why: `[${group}:vars]` });
      inventory.group(group);
      return;
    }
    if (line.startsWith('[') && line.endsWith(']')) throw wrong(`${line} is no section`, 'write it like [group]');
    if (state === 'vars') {
      const [name, value] = variable(line, wrong);
      inventory.group(group).vars.set(name, { text: literal(value), position });
    } else if (state === 'children') {
      const child = line.split(/\s/, 1)[0]!;
      if (!inventory.hasGroup(child)) pending.set(child, { line: index + 1, why: `[${group}:children]` });
      inventory.group(child);
      inventory.group(group).children.add(child);
    } else {
      const [pattern, ...words] = split(line, wrong);
      if (pattern === undefined) return;
      const vars: Variables = new Map(
        words.map((word) => {
          const [name, value] = variable(word, wrong);
          return [name, { text: literal(value), position }] as const;
        }),
      );
      inventory.addHosts(group, pattern, position, vars);
    }
  });
  for (const [name, { line, why }] of pending) {
    throw faultAt(file, { line, column: 1 }, `${why} names the group ${name}, which has no section`);
  }
  const nodes = inventory.nodes();
  return { content: { nodes }, remarks: inventory.remarks };
}

type Wrong = (message: string, hint?: string) => Error;

function variable(text: string, wrong: Wrong): [name: string, value: string] {
  const at = text.indexOf('=');
  if (at < 1) throw wrong(`expected name=value, found ${text}`);
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

/** A value as Python reads it: quotes are not part of it, and a comment follows only a number or a quoted text. */
function literal(text: string): string {
  const [, quoted, content, number] = /^(?:(['"])(.*)\1|(\d+))\s*(?:#.*)?$/.exec(text) ?? [];
  return quoted === undefined ? (number ?? text) : content!;
}

/** Splits a line into words as a shell does; `#` begins a comment. */
function split(line: string, wrong: Wrong): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at]!;
    if (quote !== '') {
      if (character === quote) quote = '';
      else if (character === '\\' && quote === '"' && /["\\]/.test(line[at + 1] ?? '')) word += line[++at]!;
      else word += character;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= '';
    } else if (character === '#') {
      break;
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + (character === '\\' && at + 1 < line.length ? line[++at]! : character);
    }
  }
  if (quote !== '') throw wrong(`the quote ${quote} is not closed`);
  if (word !== undefined) words.push(word);
  return words;
}

/**
 * The tokens of a BIRD configuration, as its lexer sees them (BIRD 2.0, conf/cf-lex.l): `#` begins a comment up to the
 * end of the line, other comments are as in C and do not nest, and a string ends in its line and has no escapes.
 */
import { invalid } from './refusal.ts';

export interface BirdToken {
  /** A symbol is a name, in apostrophes or not; a number may be an address. */
  readonly kind: 'symbol' | 'number' | 'string' | 'mark';
  readonly text: string;
  readonly line: number;
}

const patterns = [
  ['space', /[ \t\n]+/y],
  ['comment', /#[^\n]*/y],
  ['comment', /\/\*[\s\S]*?\*\//y],
  ['symbol', /[A-Za-z_][A-Za-z0-9_]*/y],
  ['symbol', /'[A-Za-z0-9_.:-]*'/y],
  ['number', /[0-9]+(?:\.[0-9]+)*/y],
  ['string', /"[^"\n]*"/y],
  ['mark', /[={}:;,.()+*/%<>~[\]?!|&-]/y],
] as const;

/** Throws VnmError `invalid-input` at a character that begins no token. */
export function birdTokens(text: string): BirdToken[] {
  const tokens: BirdToken[] = [];
  let line = 1;
  for (let at = 0; at < text.length; ) {
    const [kind, found] = tokenAt(text, at, line);
    if (kind !== 'space' && kind !== 'comment') tokens.push({ kind, text: found, line });
    line += found.split('\n').length - 1;
    at += found.length;
  }
  return tokens;
}

function tokenAt(text: string, at: number, line: number): [kind: (typeof patterns)[number][0], text: string] {
  // Otherwise an unterminated comment would be two marks.
  const isComment = text.startsWith('/*', at);
  for (const [kind, pattern] of patterns) {
    if (isComment && kind !== 'comment') continue;
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) return [kind, found];
  }
  if (isComment) throw invalid(line, 'a comment does not end', "end it with '*/'");
  const character = text[at]!;
  if (character === '"') throw invalid(line, 'a string does not end in its line', 'end it with a quotation mark');
  throw invalid(line, `unexpected character '${character}'`, 'write other characters in comments or strings only');
}

/**
 * BIRD 2.0. A configuration is a list of statements. Some of them need no semicolon at their end (a table, `debug
 * latency`), so that a second statement could hide behind them: those without a block must have a whole form that is
 * known here. What is inside the block of an allowed statement cannot open a file, with one exception: `include` is
 * resolved by the lexer, wherever a line begins with it.
 */
import { type BirdToken, birdTokens } from './bird-tokens.ts';
import { invalid, refused } from './refusal.ts';

/** What protocols do: `rpki` reads key files, `mrt` writes files, `radv` speaks IPv6, which routers do not have. */
const protocols = ['device', 'direct', 'kernel', 'static', 'pipe', 'ospf', 'bgp', 'bfd', 'rip', 'babel'];

const name = /(?:\w+|'[\w.:-]*')/.source;
const protocol = `(?:${protocols.join('|')})`;
const flags = String.raw`(?:all|off|\{ [a-z]+(?: , [a-z]+)* \})`;

/** The forms of whole statements; a space separates two tokens. */
const statements: readonly RegExp[] = [
  `log stderr ${flags} ;`,
  String.raw`router id [\d.]+ ;`,
  String.raw`graceful restart wait \d+ ;`,
  `debug protocols ${flags} ;`,
  `ipv4 table ${name} ;`,
  // Braces are part of prefix patterns.
  `define ${name} = [^;]+ ;`,
].map(anchored);

/** The forms of what precedes a block. */
const heads: readonly RegExp[] = [
  // `ospf v2`: with v3 it would be IPv6.
  `protocol ${protocol}(?: v2)?(?: ${name})?(?: from ${name})? {`,
  `template ${protocol}(?: v2)? ${name}(?: from ${name})? {`,
  `filter ${name} {`,
  String.raw`function ${name} \( (?:(?:\w+|,|;) )*\)(?: - >(?: \w+)+)? {`,
].map(anchored);

const allowed =
  `allowed: protocol and template (${protocols.join(', ')}), filter, function, define, ipv4 table, ` +
  'router id, log stderr, debug protocols, graceful restart wait';

const reasons: ReadonlyMap<string, string> = new Map([
  ['include', 'it reads files on the node'],
  ['log', 'it writes to a file or a system log of the node'],
  ['mrtdump', 'it writes to a file on the node'],
  ['protocol mrt', 'it writes to files on the node'],
  ['template mrt', 'it writes to files on the node'],
  ['protocol rpki', 'it reads key files on the node'],
  ['template rpki', 'it reads key files on the node'],
  ['watchdog', 'it ends the daemon, which the agent does'],
  ['eval', 'it writes to the log'],
]);

/** Throws VnmError `forbidden` or `invalid-input`. */
export function checkBird(text: string): void {
  const tokens = birdTokens(text);
  const include = tokens.find(({ kind, text: word }) => kind === 'symbol' && /^include$/i.test(word));
  if (include !== undefined) throw refusal([include]);
  for (let at = 0; at < tokens.length; ) {
    const end = endOfStatement(tokens, at);
    const statement = tokens.slice(at, end);
    if (!isAllowed(statement)) throw refusal(statement);
    at = end;
  }
}

/** The types of the protocols in an allowed configuration. */
export function birdProtocols(text: string): ReadonlySet<string> {
  const tokens = birdTokens(text);
  return new Set(tokens.flatMap(({ text: word }, at) => (word === 'protocol' ? [tokens[at + 1]?.text ?? ''] : [])));
}

const withBlock: readonly string[] = ['protocol', 'template', 'filter', 'function'];

/** The index behind a statement: it ends with its block if it has one, otherwise with a semicolon. */
function endOfStatement(tokens: readonly BirdToken[], start: number): number {
  let depth = 0;
  const hasBlock = withBlock.includes(tokens[start]!.text);
  for (let at = start; at < tokens.length; at += 1) {
    const { kind, text, line } = tokens[at]!;
    if (kind !== 'mark') continue;
    if (text === '{' || text === '(') depth += 1;
    if (text === '}' || text === ')') depth -= 1;
    if (depth < 0) throw invalid(line, `'${text}' without '${text === '}' ? '{' : '('}'`, 'remove it');
    if (depth === 0 && (text === ';' || (text === '}' && hasBlock))) return at + 1;
  }
  const { line } = tokens[start]!;
  throw invalid(line, `the statement '${tokens[start]!.text}' does not end`, "end it with ';' or '}'");
}

function isAllowed(statement: readonly BirdToken[]): boolean {
  // Empty statements are usual after blocks.
  if (statement.length === 1 && statement[0]!.text === ';') return true;
  if (statements.some((form) => form.test(formOf(statement)))) return true;
  const brace = statement.findIndex(({ kind, text }) => kind === 'mark' && text === '{');
  const head = formOf(statement.slice(0, brace + 1));
  return brace >= 0 && statement.at(-1)!.text === '}' && heads.some((form) => form.test(head));
}

/** Tokens separated by spaces; a string stands for itself without its content, which may contain anything. */
function formOf(tokens: readonly BirdToken[]): string {
  return tokens.map(({ kind, text }) => (kind === 'string' ? '""' : text)).join(' ');
}

function refusal(statement: readonly BirdToken[]) {
  const words = statement.map(({ text }) => text);
  const reason = reasons.get(words.slice(0, 2).join(' ')) ?? reasons.get(words[0]!.toLowerCase());
  const { line } = statement[0]!;
  return refused(line, words.slice(0, 6).join(' '), reason ?? 'it is not on the list of allowed statements', allowed);
}

function anchored(form: string): RegExp {
  return new RegExp(`^${form.replaceAll(' {', String.raw` \{`)}$`);
}

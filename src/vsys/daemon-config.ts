/**
 * What the configuration of a routing daemon may say. The text comes from the user and is read by a process on a node,
 * so only statements that are known to stay within the router are allowed: none that makes BIRD 2.0 or FRR 8.4 read,
 * write or run something on the node. The slice file reader and the agent both check it. Pure.
 */
import { maxConfigBytes, type RouterProgram } from '../model/daemon.ts';
import { VnmError } from '../model/errors.ts';
import { birdProtocols, checkBird } from './daemon-config/bird.ts';
import { checkFrr, frrProtocols } from './daemon-config/frr.ts';
import { invalid } from './daemon-config/refusal.ts';
import { parseSwitch } from './switch-config.ts';

/** A protocol that a configuration uses. With FRR each is a daemon of its own; staticd always runs. */
type DaemonProtocol = 'ospf' | 'bgp';

/** Room for the generated part, and for the user's. */
const maxBytes = 2 * maxConfigBytes;

/**
 * Throws VnmError `forbidden` for the first statement that is not allowed, with its line, the reason and what is
 * allowed, or `invalid-input` for a text that is no configuration.
 */
export function checkDaemonConfig(kind: RouterProgram, text: string): void {
  if (kind === 'openvswitch') return void parseSwitch(text);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) {
    throw new VnmError('invalid-input', `the configuration has ${bytes} bytes`, { hint: `at most ${maxBytes}` });
  }
  checkCharacters(text);
  if (kind === 'bird') checkBird(text);
  else checkFrr(text);
}

/** The protocols that an allowed configuration uses, in a fixed order. */
export function protocolsIn(kind: RouterProgram, text: string): DaemonProtocol[] {
  if (kind === 'openvswitch') return [];
  const used = kind === 'bird' ? birdProtocols(text) : frrProtocols(text);
  return (['ospf', 'bgp'] as const).filter((protocol) => used.has(protocol));
}

/** Daemons end a line at a line feed only, and a text in C at a null character. */
function checkCharacters(text: string): void {
  const found = /[^\t\n\P{Cc}]|\p{Cs}/u.exec(text);
  if (found === null) return;
  const line = text.slice(0, found.index).split('\n').length;
  const code = found[0].charCodeAt(0).toString(16).padStart(4, '0');
  throw invalid(line, `it has the control character \\u${code}`, 'save it as plain text with line feeds');
}

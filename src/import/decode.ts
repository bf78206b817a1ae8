/** The text of a file to import. */
import { VnmError } from '../model/errors.ts';

/** Encodings of XML files with a byte for each character; their first half is ASCII. */
const singleByte = /^<\?xml[^>]*\bencoding=["'](iso-8859-1|windows-1252|us-ascii|latin1)["']/i;

/** Decodes UTF-8, or what an XML file says of itself. Throws VnmError `invalid-input`. */
export function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const latin = new TextDecoder('latin1').decode(bytes);
    if (singleByte.test(latin)) return latin;
    throw new VnmError('invalid-input', `${file}: it is not UTF-8 text`, { hint: 'save it as UTF-8', cause });
  }
}

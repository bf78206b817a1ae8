/** Returns a word that a POSIX shell reads as exactly this text. */
export function posixWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

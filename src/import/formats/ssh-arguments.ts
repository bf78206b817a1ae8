/** The arguments of `ssh` in other tools' files that say which way a node is reached. */
import type { ImportedNode } from '../imported.ts';

/** A configuration file (`-F`), and the servers to pass (`-J`, `ProxyJump`, `ProxyCommand` with `ssh -W`). */
export function sshArguments(text: string): Pick<ImportedNode, 'config' | 'jump'> {
  const config = /(?:^|\s)-F\s*([^\s'"]+)/.exec(text)?.[1];
  const jump =
    /(?:^|\s)-J\s*([^\s'"]+)/.exec(text)?.[1] ??
    /ProxyJump(?:=|\s+)["']?([^\s'"]+)/i.exec(text)?.[1] ??
    jumpOfCommand(/ProxyCommand(?:=|\s+)(["']?)(ssh\s[^"']*)\1/i.exec(text)?.[2]);
  return {
    ...(config === undefined ? {} : { config }),
    ...(jump === undefined || jump === 'none' ? {} : { jump: jump.split(',') }),
  };
}

/** The server of `ssh -W %h:%p [-p PORT] [USER@]HOST`. */
function jumpOfCommand(command: string | undefined): string | undefined {
  if (command === undefined || !/\s-W\s*%h:%p/.test(command)) return undefined;
  const words = command
    .replace(/\s-W\s*%h:%p/, '')
    .split(/\s+/)
    .slice(1);
  const port = words.indexOf('-p');
  const values = new Set(['-p', '-i', '-o', '-F', '-l']);
  const host = words.find((word, index) => word !== '' && !word.startsWith('-') && !values.has(words[index - 1] ?? ''));
  return host === undefined || port < 0 ? host : `${host}:${words[port + 1]}`;
}

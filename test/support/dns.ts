/** A DNS server and its client, as unmodified programs that use UDP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { commandPath } from '../../src/model/command-path.ts';

const minimal = fileURLToPath(new URL('dns-server.mjs', import.meta.url));
/** The address that the server has for every name below `vn.example`. */
export const knownAddress = '192.0.2.53';
/** Far longer than any answer takes: each query is sent once, so that one without an answer fails. */
const patienceMs = 20_000;

export interface DnsServer {
  stop(): Promise<void>;
}

/** Starts dnsmasq, or where it is not installed a server of our own, at a UDP port of 127.0.0.1. */
export async function startDnsServer(port: number): Promise<DnsServer> {
  const dnsmasq = commandPath('dnsmasq');
  const child =
    dnsmasq === undefined
      ? spawn(process.execPath, [minimal, String(port)], { stdio: 'ignore' })
      : spawn(dnsmasq, dnsmasqWords(port), { stdio: 'ignore' });
  const exited = once(child, 'exit');
  await untilAnswers(port, child);
  return {
    async stop() {
      child.kill();
      await exited;
    },
  };
}

function dnsmasqWords(port: number): string[] {
  const [user] = process.getuid?.() === 0 ? ['--user=root'] : [];
  return [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--pid-file',
    '--no-resolv',
    '--no-hosts',
    '--bind-interfaces',
    '--listen-address=127.0.0.1',
    `--port=${port}`,
    `--address=/vn.example/${knownAddress}`,
    ...(user === undefined ? [] : [user]),
  ];
}

async function untilAnswers(port: number, child: ChildProcess): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`the DNS server ended with exit code ${child.exitCode}`);
    const resolver = new Resolver({ timeout: 200, tries: 1 });
    resolver.setServers([`127.0.0.1:${port}`]);
    try {
      await resolver.resolve4(`first${attempt}.vn.example`);
      return;
    } catch (error) {
      if (attempt === 100) throw error;
      await sleep(50);
    }
  }
}

/** Asks for a name by a UDP port of 127.0.0.1. Rejects if there is no answer. */
export async function ask(port: number, name: string): Promise<string[]> {
  const resolver = new Resolver({ timeout: patienceMs, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  return resolver.resolve4(`${name}.vn.example`);
}

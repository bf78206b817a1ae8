import { readFileSync } from 'node:fs';
import ssh2, { type Client } from 'ssh2';
import type { TestbedNode } from '../../src/testbed/record.ts';

export interface Outcome {
  readonly status: number | string | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** Logs in to a node; the server must have the host key that `knownHosts` has for it. */
export function login(
  node: TestbedNode,
  knownHosts: string,
  key: string | Buffer = readFileSync(node.key),
): Promise<Client> {
  const lines = readFileSync(knownHosts, 'utf8').split('\n');
  const known = lines.find((line) => line.startsWith(`[${node.host}]:${node.port} ssh-ed25519 `))?.split(' ')[2];
  const client = new ssh2.Client();
  return new Promise((resolve, reject) => {
    client.on('ready', () => resolve(client)).on('error', reject);
    client.connect({
      host: node.host,
      port: node.port,
      username: node.user,
      privateKey: key,
      strictVendor: false,
      hostVerifier: (offered: Buffer) => offered.toString('base64') === known,
    });
  });
}

export function execute(client: Client, command: string, input: string | Buffer = ''): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error !== undefined) return reject(error);
      const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
      let status: number | string | null = null;
      channel.on('data', (data: Buffer) => stdout.push(data));
      channel.stderr.on('data', (data: Buffer) => stderr.push(data));
      channel.on('exit', (code: number | null, signal?: string) => {
        status = code ?? signal ?? null;
      });
      channel.on('close', () => resolve({ status, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) }));
      channel.end(input);
    });
  });
}

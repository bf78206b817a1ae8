/** A small SSH server on loopback that runs commands with /bin/sh, for tests of the client. */
import { type ChildProcess, spawn } from 'node:child_process';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import ssh2, { type Connection } from 'ssh2';

export interface KeyPair {
  /** In OpenSSH's format. */
  readonly private: string;
  /** `ssh-ed25519 AAAA...` */
  readonly public: string;
}

type Ed25519Options = Extract<Parameters<typeof ssh2.utils.generateKeyPairSync>[1], object>;

/** Makes a readable key pair: ssh2 1.17 cannot read one in 256 of its Ed25519 pairs (mscdex/ssh2 issue 1390). */
export function makeKeyPair(type: 'ed25519' | 'ecdsa' = 'ed25519', options: Ed25519Options = {}): KeyPair {
  if (type === 'ecdsa') return ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', options);
    if (!(ssh2.utils.parseKey(pair.public) instanceof Error)) return pair;
  }
}

/** Returns the public key as SSH sends it. */
export function publicKeyOf(pair: KeyPair): Buffer {
  return Buffer.from(pair.public.split(' ')[1]!, 'base64');
}

export interface TestServer {
  readonly port: number;
  /** The commands run so far, in order. */
  readonly commands: readonly string[];
  /** Returns the number of connections. */
  connections(): number;
  /** Breaks all connections. */
  drop(): void;
  close(): Promise<void>;
}

/** Accepts `clientKey`. Commands get `environment` instead of this process's; `before` precedes their shell. */
export async function startSshServer(options: {
  hostKeys: readonly KeyPair[];
  clientKey: KeyPair;
  environment?: NodeJS.ProcessEnv;
  before?: readonly string[];
  /** Whether it connects clients to Unix sockets. */
  forwards?: boolean;
}): Promise<TestServer> {
  const commands: string[] = [];
  const children = new Set<ChildProcess>();
  const sockets = new Set<Socket>();
  const authorized = publicKeyOf(options.clientKey);
  const run = (command: string): ChildProcess => {
    commands.push(command);
    // A new process group, so that everything it starts can be ended with it.
    const [program, ...words] = [...(options.before ?? []), '/bin/sh', '-c', command];
    const child = spawn(program!, words, { env: options.environment ?? process.env, detached: true });
    children.add(child.once('close', () => children.delete(child)));
    return child;
  };
  const ssh = new ssh2.Server({ hostKeys: options.hostKeys.map((pair) => pair.private) }, (client) =>
    serve(client, authorized, run, options.forwards ?? false),
  );
  const tcp = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket.once('close', () => sockets.delete(socket)));
    ssh.injectSocket(socket);
  });
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (tcp.address() as AddressInfo).port,
    commands,
    connections: () => sockets.size,
    drop,
    close: async () => {
      const closed = new Promise((resolve) => tcp.close(resolve));
      drop();
      for (const child of children) end(child);
      await closed;
    },
  };
}

function serve(
  client: Connection,
  authorized: Buffer,
  run: (command: string) => ChildProcess,
  forwards: boolean,
): void {
  client.on('error', () => undefined);
  if (forwards) {
    client.on('openssh.streamlocal', (accept, reject, { socketPath }) => {
      const socket = connect(socketPath).on('error', reject);
      socket.on('connect', () => {
        const channel = accept();
        socket.pipe(channel).pipe(socket);
        // A killed process leaves no end of its stream, but an error.
        socket.on('close', () => channel.close());
      });
    });
  }
  client.on('authentication', (context) => {
    const known = context.method === 'publickey' && context.key.data.equals(authorized);
    const parsed = known ? ssh2.utils.parseKey(context.key.data) : undefined;
    if (context.method !== 'publickey' || parsed === undefined || parsed instanceof Error)
      return context.reject(['publickey']);
    if (context.signature === undefined || context.blob === undefined) return context.accept();
    if (parsed.verify(context.blob, context.signature, context.hashAlgo) === true) context.accept();
    else context.reject(['publickey']);
  });
  client.on('session', (accept) => {
    accept().on('exec', (acceptExec, _reject, { command }) => {
      const channel = acceptExec();
      const child = run(command);
      channel.pipe(child.stdin!);
      child.stdin!.on('error', () => undefined);
      child.stdout!.pipe(channel, { end: false });
      child.stderr!.pipe(channel.stderr, { end: false });
      channel.on('close', () => end(child));
      child.on('close', (code, signal) => {
        if (code !== null) channel.exit(code);
        else channel.exit(signal!.replace('SIG', ''), false, '');
        channel.end();
      });
    });
  });
}

function end(child: ChildProcess): void {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
    process.kill(-child.pid, 'SIGKILL');
}

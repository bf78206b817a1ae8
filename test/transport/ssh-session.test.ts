import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectSocket, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { VnmError } from '../../src/model/errors.ts';
import { fingerprint } from '../../src/transport/known-hosts-format.ts';
import { connectSsh, type SshSession } from '../../src/transport/ssh-session.ts';
import type { SshOptions, SshTarget } from '../../src/transport/ssh-types.ts';
import { type KeyPair, makeKeyPair, publicKeyOf, startSshServer, type TestServer } from '../support/ssh-server.ts';
import { temporaryHome } from '../support/temporary-home.ts';

const clientKey = makeKeyPair();
const hostKey = makeKeyPair();
const strangeKey = makeKeyPair();
const ecdsaKey = makeKeyPair('ecdsa');
const shown = `ssh-ed25519 ${fingerprint(publicKeyOf(hostKey))}`;

let server: TestServer;
let home: ReturnType<typeof temporaryHome>;
const sessions: SshSession[] = [];

beforeAll(async () => {
  server = await startSshServer({ hostKeys: [hostKey, ecdsaKey], clientKey });
});
afterAll(() => server.close());
beforeEach(() => {
  home = temporaryHome();
  mkdirSync(join(home.path, '.ssh'), { mode: 0o700 });
  writeFileSync(join(home.path, '.ssh', 'id_ed25519'), clientKey.private, { mode: 0o600 });
});
afterEach(() => {
  for (const session of sessions.splice(0)) session.close();
  home.restore();
});

const knownHosts = () => join(home.path, '.ssh', 'known_hosts');
const known = (pair: KeyPair, prefix = '') => `${prefix}[127.0.0.1]:${server.port} ${pair.public.trim()}\n`;
const trust = () => writeFileSync(knownHosts(), known(hostKey));

async function connect(target: Partial<SshTarget> = {}, options: Partial<SshOptions> = {}): Promise<SshSession> {
  const session = await connectSsh(
    { node: 'n1', host: '127.0.0.1', port: server.port, user: 'me', ...target },
    { acceptNewHostKeys: false, ...options },
  );
  sessions.push(session);
  return session;
}

async function failure(promise: Promise<unknown>): Promise<Pick<VnmError, 'code' | 'message' | 'hint'>> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(VnmError);
  const { code, message, hint } = error as VnmError;
  return { code, message, hint };
}

const cannot = (reason: string, hint: string, port = server.port) => ({
  code: 'unreachable',
  message: `node 'n1' (127.0.0.1:${port}) cannot be reached: ${reason}`,
  hint,
});

describe('host keys', () => {
  it('an unknown host key is refused with its fingerprint', async () => {
    expect(await failure(connect())).toEqual(
      cannot(
        `its host key ${shown} is unknown`,
        'compare the fingerprint with the node, then repeat with --accept-new-host-keys',
      ),
    );
  });

  it('an unknown host key is added on request, and known from then on', async () => {
    await connect({}, { acceptNewHostKeys: true });
    expect(readFileSync(knownHosts(), 'utf8')).toBe(`${known(hostKey).split(' ').slice(0, 3).join(' ').trim()}\n`);
    expect(statSync(knownHosts()).mode & 0o777).toBe(0o600);
    await connect();
  });

  it('a host key is added to the extra file when there is one', async () => {
    const knownHostsPath = join(home.path, 'testbed', 'known_hosts');
    await connect({ knownHostsPath }, { acceptNewHostKeys: true });
    expect(readFileSync(knownHostsPath, 'utf8')).toContain(`[127.0.0.1]:${server.port} ssh-ed25519 `);
    expect(() => statSync(knownHosts())).toThrow('ENOENT');
    await connect({ knownHostsPath });
  });

  it('a changed host key is refused even if new ones are accepted', async () => {
    writeFileSync(knownHosts(), `# mine\n${known(strangeKey)}`);
    const expected = cannot(
      `its host key has changed to ${shown}; ${knownHosts()}:2 has another one`,
      'someone may be intercepting the connection; if you know that the change is legitimate, remove the old key: ' +
        `ssh-keygen -R '[127.0.0.1]:${server.port}' -f ${knownHosts()}`,
    );
    expect(await failure(connect())).toEqual(expected);
    expect(await failure(connect({}, { acceptNewHostKeys: true }))).toEqual(expected);
    expect(readFileSync(knownHosts(), 'utf8')).toBe(`# mine\n${known(strangeKey)}`);
  });

  it('a revoked host key is refused', async () => {
    writeFileSync(knownHosts(), known(hostKey) + known(hostKey, '@revoked '));
    expect(await failure(connect({}, { acceptNewHostKeys: true }))).toEqual(
      cannot(
        `its host key ${shown} is revoked by ${knownHosts()}:2`,
        'do not connect; ask whoever runs the node for a new host key',
      ),
    );
  });

  it('the server is asked for the known type of host key', async () => {
    writeFileSync(knownHosts(), known(ecdsaKey));
    await connect();
  });

  it('parallel connections may all add the host key', async () => {
    const others = await Promise.all([1, 2, 3].map(() => startSshServer({ hostKeys: [makeKeyPair()], clientKey })));
    try {
      const ports = [server, ...others].flatMap(({ port }) => [port, port, port]);
      await Promise.all(ports.map((port) => connect({ port }, { acceptNewHostKeys: true })));
      const lines = readFileSync(knownHosts(), 'utf8').trimEnd().split('\n');
      expect(lines.map((one) => one.split(' ')[0]).sort()).toEqual(
        [server, ...others].map(({ port }) => `[127.0.0.1]:${port}`).sort(),
      );
      await Promise.all(ports.map((port) => connect({ port })));
    } finally {
      await Promise.all(others.map((other) => other.close()));
    }
  });

  it('the error names a known_hosts file that cannot be read', async () => {
    mkdirSync(knownHosts());
    expect(await failure(connect())).toEqual(
      cannot(
        `its host key cannot be verified: cannot read the known hosts in ${knownHosts()}: it is a directory`,
        'make the file readable',
      ),
    );
  });
});

describe('authentication', () => {
  const name =
    "give a key that the node accepts ('key' of the node in the slice file), or add yours to authorized_keys there";
  const identity = (file: string) => join(home.path, '.ssh', file);

  beforeEach(trust);

  it('the given key is used', async () => {
    writeFileSync(identity('id_ed25519'), strangeKey.private);
    writeFileSync(join(home.path, 'mine'), clientKey.private);
    await connect({ keyPath: '~/mine' });
    await connect({ keyPath: join(home.path, 'mine') });
  });

  it('the usual keys are tried one after the other', async () => {
    writeFileSync(identity('id_rsa'), clientKey.private);
    writeFileSync(identity('id_ed25519'), strangeKey.private);
    await connect();
  });

  it('the error names the keys that were tried', async () => {
    writeFileSync(identity('id_ed25519'), strangeKey.private);
    writeFileSync(identity('id_ecdsa'), ecdsaKey.private);
    expect(await failure(connect())).toEqual(
      cannot("authentication as 'me' failed: tried ~/.ssh/id_ed25519, ~/.ssh/id_ecdsa", name),
    );
  });

  it('the error says when there is no key at all', async () => {
    writeFileSync(identity('id_ed25519'), 'not a key');
    expect(await failure(connect())).toEqual(
      cannot("authentication as 'me' failed: no key to try; ~/.ssh/id_ed25519 is not a private key", name),
    );
    expect(await failure(connect({ keyPath: '~/lost' }))).toEqual(
      cannot("authentication as 'me' failed: no key to try; ~/lost is missing", name),
    );
  });

  it('the error says what to do about an encrypted key, and shows nothing of the key', async () => {
    const encrypted = makeKeyPair('ed25519', {
      passphrase: 'secret',
      cipher: 'aes256-ctr',
      rounds: 1,
    });
    writeFileSync(identity('id_ed25519'), encrypted.private);
    expect(await failure(connect())).toEqual(
      cannot(
        "authentication as 'me' failed: no key to try; ~/.ssh/id_ed25519 is encrypted",
        'add the key to an ssh agent: ssh-add ~/.ssh/id_ed25519',
      ),
    );
  });

  it('a login goes on when the ssh agent does not answer', async () => {
    process.env.SSH_AUTH_SOCK = join(home.path, 'no-agent');
    await connect();
    writeFileSync(identity('id_ed25519'), strangeKey.private);
    expect(await failure(connect())).toEqual(
      cannot("authentication as 'me' failed: tried the ssh agent, ~/.ssh/id_ed25519; Failed to connect to agent", name),
    );
  });
});

describe('failed connections', () => {
  const servers: Server[] = [];
  const sockets: Socket[] = [];
  const listen = async (onConnection: Parameters<typeof createServer>[1]): Promise<number> => {
    const tcp = createServer(onConnection);
    tcp.on('connection', (socket) => sockets.push(socket));
    servers.push(tcp);
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
    return (tcp.address() as AddressInfo).port;
  };
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await Promise.all(servers.splice(0).map((tcp) => new Promise((resolve) => tcp.close(resolve))));
  });

  it('a refused connection is reported', async () => {
    const port = await listen(() => undefined);
    await new Promise((resolve) => servers.pop()!.close(resolve));
    expect(await failure(connect({ port }))).toEqual(
      cannot('connection refused', 'check that an SSH server listens on this port', port),
    );
  });

  it('a server that never speaks is reported', async () => {
    const port = await listen(() => undefined);
    expect(await failure(connect({ port }, { connectTimeoutMs: 200 }))).toEqual(
      cannot(
        'it accepts connections, but made no SSH handshake within 0.2 s',
        "check that an SSH server listens on this port; if the node is only slow, give it more time with 'ssh: { patience: SECONDS }' in the slice file",
        port,
      ),
    );
  });

  it('a server that hangs up is reported', async () => {
    const port = await listen((socket) => socket.end());
    expect(await failure(connect({ port }))).toEqual(
      cannot('the node hung up', 'check that an SSH server listens on this port', port),
    );
  });

  it('a server of another kind is reported', async () => {
    const port = await listen((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect(await failure(connect({ port }))).toEqual(
      cannot('the node hung up', 'check that an SSH server listens on this port', port),
    );
  });

  it('a host name that does not exist is reported', async () => {
    const { message, hint } = await failure(connect({ host: 'no-such-host.invalid' }));
    expect({ message, hint }).toEqual({
      message: `node 'n1' (no-such-host.invalid:${server.port}) cannot be reached: host name not found`,
      hint: 'check its spelling, or give an address',
    });
  });

  it('an SSH server that hangs up is not mistaken for another kind', async () => {
    const port = await listen((socket) => void socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    expect(await failure(connect({ port }))).toEqual(
      cannot('the node hung up (SSH-2.0-OpenSSH_9.2)', "see the log of the node's SSH server", port),
    );
  });

  it('a login survives a server that drops the first connections', async () => {
    let count = 0;
    const port = await listen((socket) => {
      count += 1;
      if (count <= 2) return void socket.end(count === 1 ? '' : 'Exceeded MaxStartups\r\n');
      socket.pipe(connectSocket(server.port, '127.0.0.1')).pipe(socket);
    });
    await connect({ port }, { acceptNewHostKeys: true });
    expect(count).toBe(3);
  });

  it('the time limit of a login leaves out the wait for other log-ins to the server', async () => {
    const silent = 6;
    let count = 0;
    const port = await listen((socket) => {
      count += 1;
      if (count === silent + 1) return void socket.end();
      if (count > silent) socket.pipe(connectSocket(server.port, '127.0.0.1')).pipe(socket);
    });
    const [others, waiting] = [new AbortController(), new AbortController()];
    const before = Array.from({ length: silent }, () => failure(connect({ port }, { signal: others.signal })));
    await expect.poll(() => count).toBe(silent);
    const connectTimeoutMs = 3000;
    const last = connect({ port }, { acceptNewHostKeys: true, connectTimeoutMs });
    const interrupted = failure(connect({ port }, { signal: waiting.signal }));
    waiting.abort();
    expect((await interrupted).code).toBe('interrupted');
    await sleep(connectTimeoutMs + 100);
    others.abort();
    await last;
    await Promise.all(before);
    expect(count).toBe(silent + 2);
  });

  it('a connection attempt may be interrupted', async () => {
    const port = await listen(() => undefined);
    const expected = {
      code: 'interrupted',
      message: `the connection to node 'n1' (127.0.0.1:${port}) was interrupted`,
      hint: undefined,
    };
    const controller = new AbortController();
    const connecting = failure(connect({ port }, { signal: controller.signal }));
    await sleep(50);
    controller.abort();
    expect(await connecting).toEqual(expected);
    expect(await failure(connect({ port }, { signal: controller.signal }))).toEqual(expected);
  });
});

describe('commands', () => {
  beforeEach(trust);

  it('a command returns its output and exit code', async () => {
    const session = await connect();
    expect(await session.exec('echo out; echo err >&2; exit 3')).toEqual({
      code: 3,
      stdout: Buffer.from('out\n'),
      stderr: 'err\n',
    });
    expect(await session.exec('cat')).toEqual({ code: 0, stdout: Buffer.alloc(0), stderr: '' });
  });

  it('a signal may end a command', async () => {
    const session = await connect();
    expect(await session.exec('kill -TERM $$')).toMatchObject({ code: null, signal: 'SIGTERM' });
  });

  it('a command may read and write megabytes', async () => {
    const session = await connect();
    const bytes = Buffer.alloc(3_000_001, 'every byte counts, ');
    const [plain, streamed] = await Promise.all([
      session.exec('cat', { stdin: bytes }),
      session.exec('cat >&2', { stdin: Readable.from([bytes.subarray(0, 1_000_000), bytes.subarray(1_000_000)]) }),
    ]);
    expect(plain.stdout.equals(bytes)).toBe(true);
    expect(streamed.stderr === bytes.toString()).toBe(true);
  });

  it('a command need not read its input', async () => {
    const session = await connect();
    expect(await session.exec('exit 4', { stdin: Buffer.alloc(4_000_000) })).toMatchObject({ code: 4 });
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(65_536);
      })(),
    );
    expect(await session.exec('exit 5', { stdin: endless })).toMatchObject({ code: 5 });
    expect(endless.destroyed).toBe(true);
  });

  it('a fault of the stream that a command reads is passed on', async () => {
    const session = await connect();
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('half');
        throw new Error('the disk is gone');
      })(),
    );
    await expect(session.exec('cat', { stdin: broken })).rejects.toThrow('the disk is gone');
  });

  it('a command ends when its time is up or its signal aborts', async () => {
    const session = await connect();
    const place = `a command on node 'n1' (127.0.0.1:${server.port})`;
    expect(await failure(session.exec('sleep 60', { timeoutMs: 100 }))).toEqual({
      code: 'timeout',
      message: `${place} did not finish within 0.1 s`,
      hint: "check whether the login or sudo hangs; if the node is only slow, give it more time with 'ssh: { patience: SECONDS }' in the slice file",
    });
    const controller = new AbortController();
    const running = failure(session.exec('sleep 60', { signal: controller.signal, timeoutMs: 60_000 }));
    controller.abort();
    const interrupted = { code: 'interrupted', message: `${place} was interrupted`, hint: undefined };
    expect(await running).toEqual(interrupted);
    const before = server.commands.length;
    expect(await failure(session.exec('echo', { signal: controller.signal }))).toEqual(interrupted);
    expect(server.commands.length).toBe(before);
  });

  it('a channel has streams that stay open', async () => {
    const session = await connect();
    const channel = await session.openChannel('read line; echo "$line $line"; echo done >&2');
    const [out, err] = [text(channel), text(channel.stderr)];
    channel.write('twice\n');
    expect(await out).toBe('twice twice\n');
    expect(await err).toBe('done\n');
  });
});

describe('the end of a session', () => {
  beforeEach(trust);

  it('the end of a session is reported, and ends its commands', async () => {
    const session = await connect();
    const ends: unknown[] = [];
    const ended = new Promise<void>((resolve) => {
      session.onClose((error) => {
        ends.push(error);
        resolve();
      });
    });
    const running = failure(session.exec('sleep 60'));
    const channel = await session.openChannel('sleep 60');
    const closed = new Promise((resolve) => channel.once('close', resolve));
    channel.resume();
    channel.stderr.resume();
    server.drop();
    const expected = {
      code: 'unreachable',
      message: `the connection to node 'n1' (127.0.0.1:${server.port}) was lost: the node hung up`,
      hint: 'try again when the node answers; everything installed there stays',
    };
    expect(await running).toEqual(expected);
    await Promise.all([closed, ended]);
    expect(ends).toEqual([expect.objectContaining(expected)]);
    expect(await failure(session.exec('true'))).toEqual(expected);
    session.onClose((error) => ends.push(error));
    expect(ends[1]).toBe(ends[0]);
  });

  it('a session ends when the node falls silent', async () => {
    const pipes: Socket[] = [];
    const proxy = createServer((socket) => {
      const onward = connectSocket(server.port, '127.0.0.1');
      pipes.push(
        socket.on('error', () => undefined),
        onward.on('error', () => undefined),
      );
      socket.pipe(onward).pipe(socket);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = proxy.address() as AddressInfo;
      writeFileSync(knownHosts(), known(hostKey).replace(String(server.port), String(port)));
      const session = await connect({ port }, { keepaliveMs: 50 });
      await session.exec('true');
      const running = failure(session.exec('sleep 60'));
      for (const pipe of pipes) pipe.unpipe();
      expect(await running).toMatchObject({
        code: 'unreachable',
        message: `the connection to node 'n1' (127.0.0.1:${port}) was lost: it no longer answers`,
      });
    } finally {
      for (const pipe of pipes) pipe.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    }
  });

  it('a session that was closed here reports no fault', async () => {
    const session = await connect();
    const ended = new Promise((resolve) => session.onClose(resolve));
    session.close();
    expect(await ended).toBeUndefined();
    expect(await failure(session.exec('true'))).toEqual({
      code: 'unreachable',
      message: `the connection to node 'n1' (127.0.0.1:${server.port}) is closed`,
      hint: undefined,
    });
  });
});

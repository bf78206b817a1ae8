import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { machine, tmpdir, type } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { VnmError } from '../../src/model/errors.ts';
import {
  type AgentConnection,
  type AgentOptions,
  type AgentTarget,
  connectAgent,
  connectAgents,
} from '../../src/transport/agent-connection.ts';
import { attachScript } from '../../src/transport/installed-files.ts';
import { encodePolicy, policySchema, writablePolicy } from '../../src/vsys/policy.ts';
import { fakeBundle } from '../support/fake-agent.ts';
import { makeKeyPair, startSshServer, type TestServer } from '../support/ssh-server.ts';
import { temporaryHome } from '../support/temporary-home.ts';

vi.mock('../../src/transport/agent-bundle.ts', () => ({ agentBundle: async () => fakeBundle }));

const policy = policySchema.parse({
  slice: 'demo',
  vnet: '10.65.0.0/16',
  interfacePrefix: 'pv001-',
  namespacePrefix: 'pv-demo-',
  table: 50_001,
  rulePriority: 10_001,
  nexthops: { first: 65_536, last: 131_071 },
  vnis: { first: 4096, last: 8191 },
});
const agentFile = `agent-${fakeBundle.digest}.mjs`;
const clientKey = makeKeyPair();
const hostKey = makeKeyPair();

let server: TestServer;
let home: ReturnType<typeof temporaryHome>;
/** The node's PL_VNM_DIR and its PATH. */
let node: string;
let bin: string;
const environment: NodeJS.ProcessEnv = {};
const connections: AgentConnection[] = [];

beforeAll(async () => {
  server = await startSshServer({ hostKeys: [hostKey], clientKey, environment });
});
afterAll(() => server.close());
beforeEach(() => {
  home = temporaryHome();
  mkdirSync(join(home.path, '.ssh'));
  writeFileSync(join(home.path, '.ssh', 'id_ed25519'), clientKey.private);
  node = mkdtempSync(join(tmpdir(), 'pl-vnm-node-'));
  bin = join(node, 'bin');
  mkdirSync(bin);
  for (const tool of 'cat chmod cut gzip id ln mkdir mv rm sh sha256sum sleep uname wc'.split(' ')) {
    symlinkSync(which(tool), join(bin, tool));
  }
  symlinkSync(process.execPath, join(bin, 'node'));
  fakeCommand('id', 'echo 0');
  Object.assign(environment, { PATH: bin, PL_VNM_DIR: node });
});
afterEach(() => {
  for (const connection of connections.splice(0)) connection.close();
  rmSync(node, { recursive: true, force: true });
  home.restore();
});

function which(tool: string): string {
  const path = process.env
    .PATH!.split(delimiter)
    .map((directory) => join(directory, tool))
    .find(existsSync);
  if (path === undefined) throw new Error(`this test needs the command '${tool}'`);
  return path;
}

/** Replaces a command, for this node only. */
function fakeCommand(name: string, body: string): void {
  rmSync(join(bin, name), { force: true });
  writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(bin, name), 0o755);
}

const target = (changes: Partial<AgentTarget> = {}): AgentTarget => ({
  node: 'n1',
  host: '127.0.0.1',
  port: server.port,
  user: 'me',
  slice: 'demo',
  ...changes,
});
const options: AgentOptions = { acceptNewHostKeys: true, policy };
const place = () => `node 'n1' (127.0.0.1:${server.port})`;

async function connect(): Promise<AgentConnection> {
  const connection = await connectAgent(target(), options);
  connections.push(connection);
  return connection;
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

describe('a node that is ours', () => {
  it('a node of ours gets the agent once and the policy; from then on two commands survey it and start the agent', async () => {
    const connection = await connect();
    expect(connection.node).toBe('n1');
    // It does not say which data plane it has.
    expect(connection.facts.plane).toBe('kernel');
    expect(connection.facts).toMatchObject({
      agent: { digest: fakeBundle.digest },
      policy: writablePolicy(policy),
      arguments: ['attach', '--slice', 'demo', '--policy', encodePolicy(policy)],
    });
    expect(readFileSync(join(node, 'lib', agentFile)).equals(fakeBundle.code)).toBe(true);
    expect(statSync(join(node, 'lib', agentFile)).mode & 0o777).toBe(0o755);
    expect(readdirSync(join(node, 'lib'))).toEqual([agentFile]);
    expect(existsSync(join(node, 'policy'))).toBe(false);
    expect(await connection.call('clock', {})).toEqual({});
    expect((await connection.exec('echo here')).stdout.toString()).toBe('here\n');

    const before = server.commands.length;
    await connect();
    expect(server.commands.slice(before)).toEqual([
      `sh -s -- demo ${fakeBundle.digest} root`,
      `${join(bin, 'node')} ${join(node, 'lib', agentFile)} attach --slice demo --policy ${encodePolicy(policy)}`,
    ]);
  });

  it('a node of ours keeps the policy that it has', async () => {
    const own = { ...policy, limits: { ...policy.limits, tunnels: 3 } };
    mkdirSync(join(node, 'policy'));
    writeFileSync(join(node, 'policy', 'demo.json'), JSON.stringify(own));
    expect((await connect()).facts.policy).toEqual(own);
    expect(readFileSync(join(node, 'policy', 'demo.json'), 'utf8')).toBe(JSON.stringify(own));
  });

  it('a node of ours keeps older agents next to the new one', async () => {
    mkdirSync(join(node, 'lib'));
    writeFileSync(join(node, 'lib', 'agent-0123.mjs'), '');
    await connect();
    expect(readdirSync(join(node, 'lib')).sort()).toEqual(['agent-0123.mjs', agentFile].sort());
  });

  it('several controllers may set up a node of ours at once', async () => {
    const all = await connectAgents([target(), target(), target(), target()], options);
    connections.push(...all);
    expect(all.map(({ facts }) => facts.agent.digest)).toEqual(Array(4).fill(fakeBundle.digest));
    expect(readdirSync(join(node, 'lib'))).toEqual([agentFile]);
  });

  it('a node without a recent Node.js gets the one of this machine', async () => {
    fakeCommand('node', 'echo v18.20.4');
    // The real runtime is large and takes seconds.
    const [own, small] = [process.execPath, join(node, 'small')];
    writeFileSync(small, `#!/bin/sh\n# ${'a comment '.repeat(100_000)}\nexec '${own}' "$@"\n`, { mode: 0o755 });
    process.execPath = small;
    try {
      expect((await connect()).facts.agent.digest).toBe(fakeBundle.digest);
      expect(readFileSync(join(node, 'lib', 'node')).equals(readFileSync(small))).toBe(true);
      expect(statSync(join(node, 'lib', 'node')).mode & 0o777).toBe(0o755);
      const before = server.commands.length;
      await connect();
      expect(server.commands.slice(before + 1)).toEqual([
        `${node}/lib/node ${node}/lib/${agentFile} attach --slice demo --policy ${encodePolicy(policy)}`,
      ]);
      rmSync(join(node, 'lib', 'node'));
      rmSync(join(bin, 'gzip'));
      await connect();
      expect(readFileSync(join(node, 'lib', 'node')).equals(readFileSync(small))).toBe(true);
    } finally {
      process.execPath = own;
    }
  });

  it('a node on which the Node.js of this machine does not run is reported', async () => {
    rmSync(join(bin, 'node'));
    const [own, foreign] = [process.execPath, join(node, 'foreign')];
    writeFileSync(foreign, '#!/bin/sh\necho "libstdc++.so.6 is missing" >&2\nexit 127\n');
    process.execPath = foreign;
    try {
      expect(await failure(connect())).toEqual({
        code: 'unsupported',
        message: `the Node.js of this machine does not run on ${place()}: libstdc++.so.6 is missing`,
        hint: 'install Node.js 20 or newer there',
      });
    } finally {
      process.execPath = own;
    }
  });

  it('a node of another system does not get the Node.js of this machine', async () => {
    rmSync(join(bin, 'node'));
    fakeCommand('uname', 'echo Plan9 mips');
    const other = `it is Plan9 mips, so this machine's (${type()} ${machine()}) does not run there`;
    const expected = { code: 'unsupported', hint: 'install Node.js 20 or newer there' };
    expect(await failure(connect())).toEqual({
      ...expected,
      message: `${place()} has no Node.js 20 or newer; ${other}`,
    });
    fakeCommand('node', 'echo v18.20.4');
    expect(await failure(connect())).toEqual({
      ...expected,
      message: `${place()} has no Node.js 20 or newer, only 18.20.4; ${other}`,
    });
  });

  it('a node without room for the agent is reported', async () => {
    fakeCommand('cat', 'head -c 100');
    symlinkSync(which('head'), join(bin, 'head'));
    mkdirSync(join(node, 'policy'));
    writeFileSync(join(node, 'policy', 'demo.json'), JSON.stringify(policy));
    expect(await failure(connect())).toEqual({
      code: 'failed',
      message: `the agent could not be copied to ${place()}: the received file differs from the one that was sent`,
      hint: `check that ${node}/lib has room and that root may write there`,
    });
    expect(readdirSync(join(node, 'lib'))).toEqual([]);
  });
});

describe('a node that is not ours', () => {
  beforeEach(() => fakeCommand('id', 'echo 1000'));

  it('a node whose login cannot become root needs its administrator', async () => {
    expect(await failure(connect())).toEqual({
      code: 'unsupported',
      message: `the login 'me' of ${place()} is not root and may not become root (sudo -n)`,
      hint: 'there is no sudo: have the administrator of the node install it and run: pl-vnm agent install',
    });
  });

  it.each([
    ['a password', 'sudo: a password is required', "add 'me ALL=(root) NOPASSWD: ALL' there (sudo visudo -f"],
    [
      'a terminal',
      'sudo: sorry, you must have a tty to run sudo',
      "add 'Defaults:me !requiretty' there (sudo visudo -f",
    ],
    ['another login', 'Sorry, user me may not run sudo on n1.', 'have the administrator of the node run'],
  ])('the error quotes a sudo that requires %s', async (_, said, what) => {
    fakeCommand('sudo', `echo "${said}" >&2; exit 1`);
    const { code, hint } = await failure(connect());
    expect(code).toBe('unsupported');
    expect(hint).toContain(`sudo says '${said}'`);
    expect(hint).toContain(what);
  });

  it('files are copied with sudo, which ignores PL_VNM_DIR', async () => {
    // The error is not the refusal of the policy, which comes first here.
    fakeCommand(
      'sudo',
      '[ "$*" = "-n true" ] && exit; case "$*" in *agent-*) sleep 0.5;; esac; echo "not you: $2" >&2; exit 1',
    );
    expect(await failure(connect())).toEqual({
      code: 'failed',
      message: `the agent could not be copied to ${place()}: not you: sh`,
      hint: 'check that /usr/local/lib/pl-vnm has room and that root may write there',
    });
    expect(readdirSync(node)).toEqual(['bin']);
  });
});

describe('a node where an administrator has installed the agent', () => {
  const command = () => join(node, 'lib', 'attach-demo');
  function install(agent: string): void {
    mkdirSync(join(node, 'lib'));
    mkdirSync(join(node, 'policy'));
    writeFileSync(join(node, 'policy', 'demo.json'), JSON.stringify(policy));
    writeFileSync(join(node, 'lib', agent), fakeBundle.code);
    const survey = { lib: join(node, 'lib'), directory: node };
    writeFileSync(command(), attachScript(survey, 'demo', process.execPath, agent), { mode: 0o755 });
  }
  beforeEach(() => {
    fakeCommand('id', 'echo 1000');
    fakeCommand(
      'sudo',
      `case "$*" in "-n -l ${command()}") ;; "-n ${command()}") exec ${command()};; *) echo "$*" >>${node}/refused; exit 1;; esac`,
    );
  });

  it('a controller attaches by the rule, and copies nothing', async () => {
    install(agentFile);
    const before = server.commands.length;
    expect((await connect()).facts).toMatchObject({ policy, arguments: ['attach', '--slice', 'demo'] });
    expect(server.commands.slice(before)).toEqual([`sh -s -- demo ${fakeBundle.digest} root`, `sudo -n ${command()}`]);
    expect(readdirSync(join(node, 'lib')).sort()).toEqual([agentFile, 'attach-demo'].sort());
    // sudo would log a refused command.
    expect(readFileSync(join(node, 'refused'), 'utf8')).toBe('-n -l true\n');
  });

  it('a controller refuses an installed agent that is not exactly its own', async () => {
    install(`agent-${'b'.repeat(64)}.mjs`);
    const before = server.commands.length;
    expect(await failure(connect())).toEqual({
      code: 'unsupported',
      message: `the agent installed on ${place()} for slice 'demo' (digest bbbbbbbbbbbb) differs from that of this pl-vnm (version 0, digest ${fakeBundle.digest.slice(0, 12)})`,
      hint: 'have the administrator of the node run, with this version: pl-vnm agent install SLICE.yaml --node n1',
    });
    expect(server.commands.length).toBe(before + 1);
  });

  it('a controller stops an older agent that still runs', async () => {
    install(agentFile);
    writeFileSync(join(node, 'daemon'), 'a'.repeat(64));
    expect((await connect()).facts.agent.digest).toBe(fakeBundle.digest);
  });

  it('a login without a rule needs the administrator of the node', async () => {
    install(agentFile);
    fakeCommand('sudo', 'exit 1');
    expect(await failure(connect())).toMatchObject({
      code: 'unsupported',
      hint: 'have the administrator of the node run: pl-vnm agent install',
    });
  });

  it('a login that may become root copies the agent in spite of the rule', async () => {
    install(agentFile);
    fakeCommand('sudo', `[ "$2" = -l ] || [ "$*" = "-n true" ] || { echo "not you: $2" >&2; exit 1; }`);
    expect(await failure(connect())).toMatchObject({
      code: 'failed',
      // Whichever of them sudo handled first.
      message: expect.stringMatching(/^the (agent|policy) could not be copied to .*: not you: sh$/),
    });
  });
});

describe('an agent', () => {
  it('a controller stops an agent of another version, once', async () => {
    writeFileSync(join(node, 'daemon'), 'a'.repeat(64));
    expect((await connect()).facts.agent.digest).toBe(fakeBundle.digest);
    expect(existsSync(join(node, 'daemon'))).toBe(false);
  });

  it('an agent of another version that does not stop is reported', async () => {
    writeFileSync(join(node, 'daemon'), 'a'.repeat(64));
    writeFileSync(join(node, 'stubborn'), '');
    expect(await failure(connect())).toEqual({
      code: 'failed',
      message: `the agent on ${place()} still differs from that of this pl-vnm after a shutdown (version 0, digest aaaaaaaaaaaa, pid 1)`,
      hint: 'check whether a controller of another version uses this slice at the same time',
    });
  });

  it('the error quotes the last output of an agent that does not start', async () => {
    writeFileSync(join(node, 'broken'), `${'x'.repeat(5000)}no policy for this slice\n`);
    const { code, message } = await failure(connect());
    expect(code).toBe('failed');
    expect(message).toMatch(
      /^attaching to the agent on node 'n1' \(127\.0\.0\.1:\d+\) failed with exit code 3: x+no policy for this slice$/,
    );
    expect(message.length).toBeGreaterThan(4096);
    expect(message.length).toBeLessThan(4096 + 120);
  });

  it.each([
    ['with CRLF line ends', 'Welcome to the node!\r\n\r\n'],
    ['without a last newline', 'Welcome to the node'],
    ['of 90 kB', 'All use is monitored.\n'.repeat(4000)],
  ])('a controller finds the agent behind output of the login shell %s', async (_, noise) => {
    writeFileSync(join(node, 'noisy'), noise);
    const connection = await connect();
    expect(connection.facts.agent.digest).toBe(fakeBundle.digest);
    await connection.call('clock', {});
  });

  it('the error quotes an agent that does not speak the protocol', async () => {
    writeFileSync(join(node, 'noisy'), `Welcome to the node!\r\n${'x'.repeat(300_000)}`);
    expect(await failure(connect())).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining(
        `attaching to the agent on ${place()} failed: expected a message with Content-Length, got "Welcome to the node!\\r\\n`,
      ),
    });
  });

  it('calls and listeners learn why the agent ended', async () => {
    const connection = await connect();
    const ended = new Promise<VnmError | undefined>((resolve) => connection.onClose(resolve));
    const expected = {
      code: 'unreachable',
      message: `the agent on ${place()} ended with exit code 7: out of routes`,
      hint: 'try again: that restarts the agent',
    };
    const pending = failure(connection.call('inventory', {}));
    expect(await failure(connection.call('routes', {}))).toEqual(expected);
    expect(await pending).toEqual(expected);
    expect(await ended).toMatchObject(expected);
    expect(await failure(connection.call('clock', {}))).toEqual(expected);
  });
});

describe('a connection', () => {
  it('calls and listeners learn why the connection was lost', async () => {
    const connection = await connect();
    const ended = new Promise<VnmError | undefined>((resolve) => connection.onClose(resolve));
    const expected = {
      code: 'unreachable',
      message: `the connection to ${place()} was lost: the node hung up`,
      hint: 'try again when the node answers; everything installed there stays',
    };
    const pending = [failure(connection.call('inventory', {})), failure(connection.exec('sleep 60'))];
    await connection.call('clock', {});
    server.drop();
    expect(await Promise.all(pending)).toEqual([expected, expected]);
    expect(await ended).toMatchObject(expected);
    expect(await failure(connection.call('clock', {}))).toEqual(expected);
  });

  it('a connection that was closed here reports no fault', async () => {
    const connection = await connect();
    const ended = new Promise<VnmError | undefined>((resolve) => connection.onClose(resolve));
    const pending = failure(connection.call('inventory', {}));
    connection.close();
    const expected = {
      code: 'unreachable',
      message: `the connection to the agent on ${place()} is closed`,
      hint: undefined,
    };
    expect(await pending).toEqual(expected);
    expect(await ended).toBeUndefined();
    expect(await failure(connection.call('clock', {}))).toEqual(expected);
  });

  it('an abandoned connection ends at once with the given error, although the node is silent', async () => {
    const connection = await connect();
    const ended = new Promise<VnmError | undefined>((resolve) => connection.onClose(resolve));
    const told: unknown[] = [];
    const takeBack = connection.onClose((error) => told.push(error));
    takeBack();
    const dead = new VnmError('unreachable', 'the node is dead');
    const order: unknown[] = [];
    const pending = [connection.call('inventory', {}), connection.call('inventory', {}, { timeoutMs: 60_000 })];
    for (const call of pending) call.catch((error: unknown) => order.push(error));
    // Nothing from the network can be handled before this.
    setImmediate(() => order.push('network'));
    connection.abandon(dead);
    expect(await ended).toBe(dead);
    for (const call of pending) await expect(call).rejects.toBe(dead);
    await expect(connection.call('clock', {})).rejects.toBe(dead);
    await new Promise(setImmediate);
    expect(order).toEqual([dead, dead, 'network']);
    expect(await new Promise((resolve) => connection.onClose(resolve))).toBe(dead);
    expect(told).toEqual([]);
  });

  it('a call may exceed its time without ending the connection', async () => {
    const connection = await connect();
    expect(await failure(connection.call('inventory', {}, { timeoutMs: 50 }))).toEqual({
      code: 'timeout',
      message: `the agent on ${place()}: no answer to 'inventory' within 50 ms`,
      hint: undefined,
    });
    expect(await connection.call('clock', {})).toEqual({});
  });

  it('no connection is made for a slice with an invalid name', async () => {
    const before = server.commands.length;
    expect(await failure(connectAgent(target({ slice: 'demo; reboot' }), options))).toEqual({
      code: 'invalid-input',
      message: "invalid slice name 'demo; reboot'",
      hint: undefined,
    });
    expect(server.commands.length).toBe(before);
  });

  it('a connection attempt may be interrupted at any step', async () => {
    fakeCommand('uname', 'sleep 60');
    const controller = new AbortController();
    const connecting = failure(connectAgent(target(), { ...options, signal: controller.signal }));
    const before = server.commands.length;
    await vi.waitFor(() => expect(server.commands.length).toBe(before + 1), { timeout: 60_000 });
    controller.abort();
    expect(await connecting).toEqual({
      code: 'interrupted',
      message: `the survey on ${place()} was interrupted`,
      hint: undefined,
    });
  });
});

describe('several nodes', () => {
  const gone = (name: string) => target({ node: name, keyPath: `~/${name}` });
  const line = (name: string) =>
    `node '${name}' (127.0.0.1:${server.port}) cannot be reached: authentication as 'me' failed: no key to try; ~/${name} is missing`;

  it('nodes are connected in order, at most `concurrency` at once', async () => {
    const names = ['n1', 'n2', 'n3'];
    const all = await connectAgents(
      names.map((name) => target({ node: name })),
      options,
      { concurrency: 2 },
    );
    connections.push(...all);
    expect(all.map((connection) => connection.node)).toEqual(names);
  });

  it('the error names all nodes that fail, and the other connections are closed', async () => {
    expect(await failure(connectAgents([target(), gone('n2'), gone('n3')], options))).toEqual({
      code: 'unreachable',
      message: `${line('n2')}\n${line('n3')}`,
      hint: "give a key that the node accepts ('key' of the node in the slice file), or add yours to authorized_keys there",
    });
    await vi.waitFor(() => expect(server.connections()).toBe(0), { timeout: 60_000 });
    expect(await failure(connectAgents([target(), gone('n2')], options))).toMatchObject({ message: line('n2') });
  });

  it('an interruption of several connection attempts is reported once', async () => {
    const signal = AbortSignal.abort();
    expect(await failure(connectAgents([gone('n2'), target(), target()], { ...options, signal }))).toEqual({
      code: 'interrupted',
      message: `the connection to ${place()} was interrupted`,
      hint: undefined,
    });
  });

  it('several failed nodes count as unreachable as soon as one is', async () => {
    fakeCommand('id', 'echo 1000');
    expect(await failure(connectAgents([target(), gone('n2')], options))).toMatchObject({
      code: 'unreachable',
      message: `the login 'me' of ${place()} is not root and may not become root (sudo -n)\n${line('n2')}`,
    });
    expect(await failure(connectAgents([target(), target()], options))).toMatchObject({ code: 'unsupported' });
  });
});

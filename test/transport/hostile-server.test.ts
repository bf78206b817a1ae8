/**
 * Servers that hang, flood or half close at every step of a connection: each ends with one error that says what was
 * missing.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerChannel } from 'ssh2';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { VnmError } from '../../src/model/errors.ts';
import { type AgentConnection, type AgentTarget, connectAgent } from '../../src/transport/agent-connection.ts';
import { policySchema } from '../../src/vsys/policy.ts';
import { fakeBundle } from '../support/fake-agent.ts';
import { type Behaviour, flood, type HostileServer, startHostileServer, trickle } from '../support/hostile-server.ts';
import { makeKeyPair } from '../support/ssh-server.ts';
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
const clientKey = makeKeyPair();
/** Seconds, instead of the usual ten: enough for the steps that work. */
const patience = 0.25;

let home: ReturnType<typeof temporaryHome>;
let server: HostileServer | undefined;
let connection: AgentConnection | undefined;

beforeEach(() => {
  home = temporaryHome();
  mkdirSync(join(home.path, '.ssh'));
  writeFileSync(join(home.path, '.ssh', 'id_ed25519'), clientKey.private);
});
afterEach(async () => {
  connection?.close();
  connection = undefined;
  await server?.close();
  server = undefined;
  home.restore();
});

/** Removes the place, and the time, which grows with the measured slowness of the node. */
const plain = (message: string) =>
  message.replaceAll(`node 'n1' (127.0.0.1:${server!.port})`, 'NODE').replace(/(within|for) [\d.]+ s/, '$1 TIME');

/** Returns the failure of the connection; NODE stands for the place. */
async function failureWith(behaviour: Behaviour, more: Partial<AgentTarget> = {}) {
  server = await startHostileServer(behaviour);
  const error = await connectAgent(
    { ...target(), ...more },
    { acceptNewHostKeys: true, policy, ...loginTime(behaviour) },
  ).then(
    (made) => {
      connection = made;
    },
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(VnmError);
  const { code, message, hint, exitCode } = error as VnmError;
  expect({ exitCode, hint }).toEqual({ exitCode: 4, hint: expect.any(String) });
  return { code, message: plain(message) };
}

/** A login that is to succeed gets the time that it takes on a busy machine. */
const loginTime = ({ onSocket }: Behaviour) => (onSocket === undefined ? { connectTimeoutMs: 20_000 } : {});

const target = (): AgentTarget => ({
  node: 'n1',
  host: '127.0.0.1',
  port: server!.port,
  user: 'me',
  slice: 'demo',
  patience,
});

/** Answers as a node that has everything, until the command that attaches: `attach` gets that. */
function usualUntil(attach: (channel: ServerChannel) => void): Behaviour['onExec'] {
  return (channel, command) => {
    if (!command.startsWith('sh -s')) return attach(channel);
    channel.resume();
    channel.write(
      [
        ...['root login', 'lib /lib/pl-vnm', 'policyDirectory /etc/pl-vnm', 'system Linux x86_64'],
        ...['runtime v24.0.0 /bin/node', 'has agent', 'has policy', 'done survey'],
      ]
        .map((line) => `pl-vnm ${line}\n`)
        .join(''),
    );
    channel.exit(0);
    channel.end();
  };
}

/** Returns a message as the agent sends it. */
function frame(message: object): string {
  const body = JSON.stringify(message);
  return `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

const late = {
  code: 'timeout',
  message: 'the agent on NODE did not start and answer within TIME',
};
const noHandshake = 'NODE cannot be reached: it accepts connections, but made no SSH handshake within TIME';
const noSurvey = 'the survey on NODE did not finish within TIME';

describe('before the login', () => {
  it('a server that sends nothing is reported', async () => {
    expect(await failureWith({ onSocket: (socket) => socket.resume() })).toEqual({
      code: 'unreachable',
      message: noHandshake,
    });
  });

  it('a server that never ends the key exchange is reported', async () => {
    const onSocket = (socket: import('node:net').Socket) => void socket.write('SSH-2.0-OpenSSH_9.6\r\n');
    expect(await failureWith({ onSocket })).toEqual({ code: 'unreachable', message: noHandshake });
  });

  it('a server that trickles before its name is reported', async () => {
    const onSocket = (socket: import('node:net').Socket) => trickle(socket, 5);
    expect(await failureWith({ onSocket })).toEqual({ code: 'unreachable', message: noHandshake });
  });

  it('a server that floods before its name is reported, with or without line ends', async () => {
    for (const chunk of ['x'.repeat(65_536), `${'x'.repeat(100)}\r\n`.repeat(600)]) {
      const onSocket = (socket: import('node:net').Socket) => flood(socket, chunk);
      expect(await failureWith({ onSocket })).toMatchObject({ code: 'unreachable' });
      await server!.close();
    }
  });

  it('a server with a long banner is reported', async () => {
    // Longer than a packet of SSH may be.
    const behaviour = { banner: 'welcome\n'.repeat(100_000), onExec: undefined };
    expect(await failureWith(behaviour)).toMatchObject({ code: 'unreachable' });
  });
});

describe('after the login', () => {
  it('a server that never answers the request to run a command is reported', async () => {
    expect(await failureWith({ onExec: undefined })).toEqual({
      code: 'timeout',
      message: 'NODE did not answer the request to run a command within TIME',
    });
  });

  it('a survey that never ends is reported, as where sudo waits for input', async () => {
    expect(await failureWith({ onExec: (channel) => channel.resume() })).toEqual({
      code: 'timeout',
      message: noSurvey,
    });
  });

  it('a server that trickles during the survey is reported', async () => {
    const onExec = (channel: ServerChannel) => trickle(channel, 5);
    expect(await failureWith({ onExec })).toEqual({ code: 'timeout', message: noSurvey });
  });

  it.each(['stdout', 'stderr'] as const)('a server that floods %s during the survey is reported', async (stream) => {
    const onExec = (channel: ServerChannel) =>
      flood(stream === 'stdout' ? channel : channel.stderr, Buffer.alloc(32_768, 'pl-vnm root login\n'));
    expect(await failureWith({ onExec }, { patience: 2 })).toEqual({
      code: 'unreachable',
      message: 'the survey on NODE printed more than 4 MiB',
    });
    await vi.waitFor(() => expect(server!.connections()).toBe(0), { timeout: 60_000 });
    expect(server!.sent()).toBeLessThan(64 * 1024 * 1024);
  });

  it('a server that half closes the channel of the survey is reported', async () => {
    const onExec = (channel: ServerChannel) => void (channel as unknown as { eof(): void }).eof?.();
    expect(await failureWith({ onExec })).toEqual({
      code: 'unreachable',
      message: 'the survey on NODE failed (no exit code)',
    });
  });
});

describe('as the agent', () => {
  it('an agent that sends nothing is reported', async () => {
    expect(await failureWith({ onExec: usualUntil((channel) => channel.resume()) })).toEqual(late);
  });

  it('an agent that floods stderr is reported', async () => {
    const onExec = usualUntil((channel) => flood(channel.stderr, Buffer.alloc(32_768, 'x')));
    expect(await failureWith({ onExec })).toEqual(late);
  });

  it('an agent that sends endless notifications is reported', async () => {
    const onExec = usualUntil((channel) => flood(channel, frame({ jsonrpc: '2.0', method: 'x' }).repeat(100)));
    expect(await failureWith({ onExec })).toEqual(late);
  });

  it('an agent that endlessly answers requests that were never sent is reported', async () => {
    const onExec = usualUntil((channel) => flood(channel, frame({ jsonrpc: '2.0', id: 99, result: {} }).repeat(100)));
    expect(await failureWith({ onExec })).toEqual({
      code: 'unreachable',
      message:
        'attaching to the agent on NODE failed: not a JSON-RPC message: another answer with the id "99" is under way',
    });
  });

  it('an agent that trickles one message is reported', async () => {
    const onExec = usualUntil((channel) => {
      channel.write('Content-Length: 33000000\r\n\r\n');
      trickle(channel, 5);
    });
    expect(await failureWith({ onExec })).toEqual(late);
  });

  it('an agent that announces too large a message is reported', async () => {
    const onExec = usualUntil((channel) => void channel.write('Content-Length: 999999999999\r\n\r\n'));
    expect((await failureWith({ onExec })).message).toContain('message too large: 999999999999 bytes');
  });

  it('an agent that half closes its channel is reported', async () => {
    const onExec = usualUntil((channel) => void (channel as unknown as { eof(): void }).eof?.());
    expect((await failureWith({ onExec })).message).toContain('attaching to the agent on NODE failed');
  });
});

/** Greets as an agent does, and then answers as `answer` says; with undefined it stays silent. */
function agentThat(answer: (method: string) => object | undefined): Behaviour {
  return {
    onExec: usualUntil((channel) => {
      let text = '';
      channel.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        for (let match = /"id":(\d+),"method":"(\w+)"/.exec(text); match !== null; ) {
          text = text.slice(match.index + match[0].length);
          const [, id, method] = match;
          const agent = { version: '0', digest: fakeBundle.digest, pid: 1, startedAt: 0, node: '' };
          const result = method === 'hello' ? { agent, policy, kernel: '', features: [] } : answer(method!);
          if (result !== undefined) channel.write(frame({ jsonrpc: '2.0', id: Number(id), result }));
          match = /"id":(\d+),"method":"(\w+)"/.exec(text);
        }
      });
    }),
  };
}

async function connectTo(behaviour: Behaviour): Promise<AgentConnection> {
  server = await startHostileServer(behaviour);
  connection = await connectAgent(target(), { acceptNewHostKeys: true, policy, ...loginTime(behaviour) });
  return connection;
}

describe('an agent that greeted', () => {
  it('an agent that has answered nothing for long is given up, with all calls in progress', async () => {
    const made = await connectTo(agentThat(() => undefined));
    const ends: unknown[] = [];
    made.onClose((error) => ends.push(error));
    const calls = await Promise.allSettled([made.call('inventory', {}), made.call('inventory', {})]);
    for (const call of calls) {
      const { code, message } = (call as PromiseRejectedResult).reason as VnmError;
      expect({ code, message: plain(message) }).toEqual({
        code: 'timeout',
        message: "the agent on NODE has not answered for TIME during 'inventory', so the connection was closed",
      });
    }
    expect(ends).toMatchObject([{ code: 'timeout' }]);
  });

  it('a live agent that never finishes a request is given up', async () => {
    const made = await connectTo(agentThat((method) => (method === 'clock' ? {} : undefined)));
    const error = (await made.call('inventory', {}).catch((thrown: unknown) => thrown)) as VnmError;
    expect({ code: error.code, message: plain(error.message) }).toEqual({
      code: 'timeout',
      message: "the agent on NODE did not answer 'inventory' within TIME, so the connection was closed",
    });
    // At once: the agent is not asked again.
    await expect(made.call('routes', {})).rejects.toMatchObject({ code: 'timeout' });
  });

  it('an agent that exceeds the time of one request is kept', async () => {
    const made = await connectTo(agentThat((method) => (method === 'clock' ? {} : undefined)));
    await expect(made.call('inventory', {}, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'timeout' });
    expect(await made.call('clock', {})).toEqual({});
  });
});

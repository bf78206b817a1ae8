import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Client, ClientChannel } from 'ssh2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandPath } from '../../src/model/command-path.ts';
import { testbedDown } from '../../src/testbed/down.ts';
import { makeKeyPair } from '../../src/testbed/keys.ts';
import type { Testbed, TestbedNode } from '../../src/testbed/record.ts';
import { testbedUp } from '../../src/testbed/up.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { execute, login } from './ssh-client.ts';
import { sliceOf, uniqueId } from './support.ts';

const hasSshd = commandPath('sshd') !== undefined || process.env.CI === 'true';
if (!hasSshd) console.warn("skipped 'SSH server (openssh)': sshd is not installed");

describeAsRoot('SSH server', () => {
  describe.each(['embedded', 'openssh'] as const)('(%s)', (server) => {
    describe.skipIf(server === 'openssh' && !hasSshd)('of a node', () => {
      let parent: string;
      let testbed: Testbed;
      let node: TestbedNode;
      let client: Client;
      beforeAll(async () => {
        // A directory with a space in its name, as users have them.
        parent = await mkdtemp(join(tmpdir(), 'test bed-'));
        testbed = await testbedUp([sliceOf(['a'])], { id: uniqueId(), directory: join(parent, 'testbed'), server });
        node = testbed.nodes[0] as TestbedNode;
        client = await login(node, testbed.knownHosts);
        client.setNoDelay(true);
      });
      afterAll(async () => {
        client.end();
        await testbedDown(testbed);
        await rm(parent, { recursive: true });
      });

      test('commands run at home, in the environment and the network of the node', async () => {
        const home = join(testbed.directory, 'nodes', 'a');
        const command = 'pwd; echo "$HOME"; echo "$PL_VNM_DIR"; echo "$USER"; echo "$PATH"; ip netns identify';
        const { status, stdout } = await execute(client, command);
        const [cwd, homeVariable, directory, user, path, namespace] = stdout.toString().split('\n');
        expect([cwd, homeVariable, directory, user, namespace, status]).toEqual([
          home,
          home,
          home,
          'root',
          node.namespace,
          0,
        ]);
        expect(path?.startsWith(`${dirname(process.execPath)}:`)).toBe(true);
      });

      test('a command reports its exit status or signal, and its two outputs separately', async () => {
        const outcome = await execute(client, 'echo out; echo err >&2; exit 7');
        expect([outcome.stdout.toString(), outcome.stderr.toString(), outcome.status]).toEqual(['out\n', 'err\n', 7]);
        expect((await execute(client, 'kill -TERM $$')).status).toBe('SIGTERM');
      });

      test('large input and output arrive unchanged', async () => {
        const input = randomBytes(1024 * 1024);
        const { stdout, stderr, status } = await execute(client, 'cat > input; cat input; cat input >&2', input);
        expect([stdout.equals(input), stderr.equals(input), status]).toEqual([true, true, 0]);
      });

      test('a command need not read its input', async () => {
        expect((await execute(client, 'exit 3', randomBytes(4 * 1024 * 1024))).status).toBe(3);
      });

      test('the server connects its clients to Unix sockets, and refuses where nothing listens', async () => {
        const path = join(testbed.directory, 'nodes', 'a', 'echo.sock');
        const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(path);
        await once(echo, 'listening');
        try {
          const channel = await new Promise<ClientChannel>((resolve, reject) => {
            client.openssh_forwardOutStreamLocal(path, (error, opened) => (error ? reject(error) : resolve(opened)));
          });
          const input = randomBytes(1024 * 1024);
          const output = buffer(channel);
          channel.end(input);
          expect((await output).equals(input)).toBe(true);
        } finally {
          echo.close();
        }
        const attempt = new Promise((resolve, reject) => {
          client.openssh_forwardOutStreamLocal(`${path}.none`, (error) => (error ? reject(error) : resolve(undefined)));
        });
        await expect(attempt).rejects.toMatchObject({ reason: 2 });
      });

      test('the server refuses an unknown key', async () => {
        await expect(login(node, testbed.knownHosts, makeKeyPair().privateKey)).rejects.toThrow(
          'All configured authentication methods failed',
        );
      });

      test('the server offers no terminals', async () => {
        const attempt = new Promise((resolve, reject) => {
          client.exec('true', { pty: true }, (error, channel) =>
            error === undefined ? resolve(channel) : reject(error),
          );
        });
        await expect(attempt).rejects.toThrow('Unable to request a pseudo-terminal');
      });

      // sshd leaves such commands running.
      if (server === 'embedded') {
        test('the server ends a command whose client has gone', async () => {
          const other = await login(node, testbed.knownHosts);
          const pid = await firstLine(other, 'echo $$; exec sleep 1000');
          expect(existsSync(`/proc/${pid}`)).toBe(true);
          other.end();
          await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
          expect(readFileSync(join(testbed.directory, 'nodes', 'a', 'ssh.log'), 'utf8')).toBe('');
        });
      }
    });
  });
});

function firstLine(client: Client, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error !== undefined) return reject(error);
      channel.once('data', (data: Buffer) => resolve(data.toString().trim()));
    });
  });
}

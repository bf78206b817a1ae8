import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testbedDown } from '../../src/testbed/down.ts';
import { processesIn } from '../../src/testbed/namespaces.ts';
import type { Testbed, TestbedNode } from '../../src/testbed/record.ts';
import { testbedStatus } from '../../src/testbed/status.ts';
import { cutNode, healNode } from '../../src/testbed/underlay.ts';
import { type TestbedOptions, testbedUp } from '../../src/testbed/up.ts';
import { policySchema } from '../../src/vsys/policy.ts';
import { describeAsRoot } from '../support/privileges.ts';
import { leftovers } from './leftovers.ts';
import { sliceOf, uniqueId } from './support.ts';

describeAsRoot('a testbed without latencies', () => {
  const slices = [sliceOf(['a', 'b']), sliceOf(['b'], [], { name: 'other', number: 8 })];
  let parent: string;
  let options: TestbedOptions;
  let testbed: Testbed;
  beforeAll(async () => {
    parent = await mkdtemp(join(tmpdir(), 'testbed-'));
    options = { id: uniqueId(), directory: join(parent, 'testbed'), server: 'embedded' };
    testbed = await testbedUp(slices, options);
  });
  afterAll(async () => {
    await testbedDown(options);
    await rm(parent, { recursive: true });
  });

  const nodeAt = (index: number) => testbed.nodes[index] as TestbedNode;

  test('the record says where the nodes are, and nothing that a remote node would not have', () => {
    const { id, directory } = options;
    expect(testbed).toEqual({
      id,
      directory,
      server: 'embedded',
      dataplane: 'kernel',
      nodes: ['a', 'b'].map((name, index) => ({
        name,
        host: '127.0.0.1',
        port: expect.any(Number),
        user: 'root',
        key: join(directory, 'client_key'),
        address: `198.18.1.${index + 1}`,
        namespace: `pt${id}-${name}`,
        agentDirectory: join(directory, 'nodes', name),
      })),
      knownHosts: join(directory, 'known_hosts'),
      latency: 'none',
    });
  });

  test('the keys of a testbed are private', async () => {
    const modes = ['.', 'client_key', 'nodes/a/host_key'].map(
      async (path) => (await stat(join(options.directory, path))).mode,
    );
    expect((await Promise.all(modes)).map((mode) => mode & 0o777)).toEqual([0o700, 0o600, 0o600]);
  });

  test('a new testbed is alive', async () => {
    const node = { namespace: true, server: true, processes: 1 };
    expect(await testbedStatus(testbed)).toEqual({
      alive: true,
      nodes: [
        { name: 'a', ...node },
        { name: 'b', ...node },
      ],
      relay: 'none',
    });
  });

  test('each slice has a policy on each of its nodes', async () => {
    const policyAt = (node: string, slice: string) => join(options.directory, 'nodes', node, 'policy', `${slice}.json`);
    const policy = policySchema.parse(JSON.parse(await readFile(policyAt('b', 'other'), 'utf8')));
    expect(policy).toMatchObject({ slice: 'other', namespacePrefix: `pt${options.id}-b.other_` });
    expect(existsSync(policyAt('a', 'test'))).toBe(true);
    expect(existsSync(policyAt('a', 'other'))).toBe(false);
  });

  test('a node forwards only by nexthop objects, checks no reverse path and has no IPv6', () => {
    const settings = [
      'net/ipv4/nexthop_compat_mode',
      'net/ipv4/conf/all/rp_filter',
      'net/ipv4/conf/default/rp_filter',
      'net/ipv4/conf/eth0/rp_filter',
    ];
    const values = inside('a', ['cat', ...settings.map((setting) => `/proc/sys/${setting}`)]);
    expect(values.trim().split('\n')).toEqual(['0', '0', '0', '0']);
    expect(inside('a', ['ip', '-6', 'address'])).toBe('');
  });

  test('a cut node has lost its carrier, but neither its address nor its routes', async () => {
    const facts = () => {
      const [link] = JSON.parse(inside('b', ['ip', '-json', 'address', 'show', 'eth0']));
      const routes = JSON.parse(inside('b', ['ip', '-json', 'route']));
      return { carrier: !link.flags.includes('NO-CARRIER'), addresses: link.addr_info.length, routes: routes.length };
    };
    await cutNode(testbed, 'b');
    expect(facts()).toEqual({ carrier: false, addresses: 1, routes: 2 });
    await healNode(testbed, 'b');
    expect(facts()).toEqual({ carrier: true, addresses: 1, routes: 2 });
    await expect(cutNode(testbed, 'c')).rejects.toMatchObject({
      code: 'not-found',
      message: `testbed '${options.id}' has no node 'c'`,
    });
  });

  test('a second up changes nothing', async () => {
    const before = await processes();
    expect(await testbedUp(slices, options)).toEqual(testbed);
    expect(await processes()).toEqual(before);
  });

  test('a testbed refuses other slices and another directory', async () => {
    await expect(testbedUp([sliceOf(['a', 'b', 'c'])], options)).rejects.toMatchObject({
      code: 'conflict',
      message: `testbed '${options.id}' was made for other slices, another kind of server or other options`,
      hint: 'take it down first',
    });
    await expect(testbedUp(slices, { ...options, directory: join(parent, 'elsewhere') })).rejects.toMatchObject({
      code: 'conflict',
      message: `the id '${options.id}' is in use by a testbed in another directory`,
      hint: 'choose another id',
    });
    expect((await testbedStatus(testbed)).alive).toBe(true);
  });

  test('a dead server is noticed, and up makes the testbed again', async () => {
    for (const pid of (await processes()).get(nodeAt(0).namespace) ?? []) process.kill(pid, 'SIGKILL');
    await expect.poll(async () => (await testbedStatus(testbed)).nodes[0]?.server).toBe(false);
    expect((await testbedStatus(testbed)).alive).toBe(false);
    testbed = await testbedUp(slices, options);
    expect((await testbedStatus(testbed)).alive).toBe(true);
  });

  test('down removes everything that agents have made, however stubborn, and can be repeated', async () => {
    const router = `pt${options.id}-a.test-0-r`;
    inside('a', ['ip', 'netns', 'add', router]);
    inside('a', ['/bin/sh', '-c', "trap '' TERM HUP; (while :; do sleep 1; done) > /dev/null 2>&1 &"]);
    expect(leftovers(options)).toContain(router);
    expect((await testbedStatus(testbed)).nodes[0]?.processes).toBeGreaterThan(1);
    await testbedDown({ id: options.id, directory: options.directory });
    expect(leftovers(options)).toEqual([]);
    await testbedDown(options);
    expect((await testbedStatus(testbed)).alive).toBe(false);
  });

  function inside(node: string, command: readonly string[]): string {
    const net = `--net=/run/netns/pt${options.id}-${node}`;
    return execFileSync('nsenter', [net, '--', ...command], { encoding: 'utf8' });
  }

  function processes(): Promise<Map<string, number[]>> {
    return processesIn(testbed.nodes.map((node) => node.namespace));
  }
});

test('an id that could not be a mark is refused', async () => {
  const options = { id: 'ab_1', directory: join(tmpdir(), 'never-made'), server: 'embedded' } as const;
  await expect(testbedUp([sliceOf(['a'])], options)).rejects.toMatchObject({
    code: 'invalid-input',
    message: "invalid testbed id: 'ab_1'",
    hint: 'use 4 to 6 of a-z and 0-9',
  });
});

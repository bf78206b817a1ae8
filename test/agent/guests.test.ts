/** A router that is a virtual machine, from the copy of its image to its end, on a real kernel. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { machineRoot } from '../../src/agent/guests/place.ts';
import { findMachine } from '../../src/agent/machines/running.ts';
import type { PortState } from '../../src/vsys/machine.ts';
import type { OperationInput } from '../../src/vsys/operations.ts';
import { type AgentNode, startAgentNode } from '../support/agent-node.ts';
import { describeAsRootUnless } from '../support/privileges.ts';
import { lackForRouterImage, routerImage } from '../support/router-image.ts';

const [guest, node] = [
  { address: '10.65.255.248', mac: '02:50:0a:41:ff:f8' },
  { address: '10.65.255.249', mac: '02:50:0a:41:ff:f9' },
];

describeAsRootUnless(lackForRouterImage(), 'a router that is a virtual machine', () => {
  let agent: AgentNode;
  let digest: string;
  let namespace: string;

  const machine = (state: PortState = 'open'): OperationInput => ({
    op: 'machine_up',
    namespace,
    image: digest,
    memoryMib: 96,
    console: 'log',
    mtu: 1400,
    ports: [{ interface: 'pv001-r', ...guest, peer: node }],
    files: { 'router.conf': `name a\nport ${guest.mac} ${guest.address}/31 1400\n` },
    state,
  });
  const all = (): OperationInput[] => [
    { op: 'netns_up', namespace, urpf: 'strict' },
    {
      ...{ op: 'tunnel_up', kind: 'local', interface: 'pv001-n', mac: node.mac, mtu: 1400 },
      peer: { interface: 'pv001-r', namespace, mac: guest.mac },
    },
    { op: 'vif_up', interface: 'pv001-n', address: node.address, peer: guest },
    machine(),
    { op: 'rule_up' },
  ];
  const answers = async () => {
    const asked = { from: node.address, to: [guest.address], timeoutMs: 1000 };
    return (await agent.client().call('reach', asked)).answered[0]!;
  };
  const report = async () => (await agent.inventory()).machines?.[0];
  const until = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 200_000, interval: 300 });

  beforeAll(async () => {
    agent = await startAgentNode({ machineMib: 100 }, { operations: ['*', 'machine_up', 'exec', 'exec_as_root'] });
    namespace = agent.router('a');
    const image = readFileSync(routerImage());
    digest = createHash('sha256').update(image).digest('hex');
    await expect(agent.apply(all())).rejects.toThrow('is not on this node');
    const partBytes = 8 * 1024 * 1024;
    for (let offset = 0; offset < image.length; ) {
      const part = { digest, total: image.length, offset };
      const data = image.subarray(offset, offset + partBytes).toString('base64');
      ({ bytes: offset } = await agent.client().call('image_write', { ...part, data }));
    }
  });
  afterAll(() => agent?.remove());

  it('its guest answers, over its link and by ARP', async () => {
    await agent.apply(all());
    await until(async () => expect(await report()).toMatchObject({ state: 'running', answers: true, ports: 'open' }));
    await until(async () => expect(await answers()).toBe(true));
    expect(new Set(await agent.apply(all()))).toEqual(new Set(['unchanged']));
  });

  it('closed ports let nothing pass, and the guest stays', async () => {
    const { pid } = (await report())!;
    await agent.apply([machine('closed')]);
    expect(await answers()).toBe(false);
    // What the guest itself sends does not get out.
    await agent.apply([machine('leaving')]);
    expect(await answers()).toBe(false);
    await agent.apply([machine()]);
    await until(async () => expect(await answers()).toBe(true));
    expect(await report()).toMatchObject({ pid, restarts: 0 });
  });

  it('commands run by the shell on its console', async () => {
    const client = agent.client();
    const { id } = await client.call('exec', { namespace, command: ['sh', '-c', 'hostname; exit 7'] });
    let [output, code] = ['', undefined as number | null | undefined];
    while (code === undefined) {
      const { stdout, stderr, ended } = await client.call('exec_read', { id });
      output += Buffer.from(stdout + stderr, 'base64').toString();
      code = ended?.code;
    }
    expect({ output, code }).toEqual({ output: 'a\n', code: 7 });
    expect((await client.call('console_log', { namespace })).text).toContain('router a is ready');
  });

  it('the next agent takes it over, and starts it again when it ends', async () => {
    const { pid } = (await report())!;
    await agent.endAgent('SIGKILL');
    expect(await report()).toMatchObject({ pid, state: 'running' });
    process.kill(pid!, 'SIGKILL');
    await until(async () => expect(await report()).toMatchObject({ state: 'running', restarts: 1 }));
    expect((await report())!.pid).not.toBe(pid);
  });

  it('a machine beyond the limit of memory is refused', async () => {
    await expect(agent.apply([{ ...machine(), memoryMib: 101 } as OperationInput])).rejects.toThrow(
      '100 MiB of memory',
    );
  });

  it('nothing is left of it', async () => {
    const images = join(agent.directory, 'images', 'test');
    expect(readdirSync(images)).toEqual([digest]);
    await agent.apply([
      { op: 'rule_down' },
      { op: 'netns_down', namespace },
      { op: 'tunnel_down', interface: 'pv001-n' },
    ]);
    expect(findMachine(join(machineRoot, namespace))).toEqual([]);
    expect([images, join(machineRoot, namespace)].filter(existsSync)).toEqual([]);
  });
});

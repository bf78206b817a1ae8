/** Unmodified programs use a VN in user space through forwards, while it migrates. */
import { execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MigrateResult } from '../../src/controller/migrate.ts';
import { processesBelow } from '../../src/testbed/processes.ts';
import { ask, type DnsServer, knownAddress, startDnsServer } from '../support/dns.ts';
import { freePorts } from '../support/free-ports.ts';
import { ownTestbed } from '../support/own-testbed.ts';
import { itWithProgram } from '../support/programs.ts';

/**
 * UDP ports of 127.0.0.1, which all nodes of the testbed share: of two programs of e2, and of e1's forwards to them.
 */
const [dns, toDns, iperf, toIperf] = (await freePorts(4)) as [number, number, number, number];

function sliceFile(directory: string): string {
  const path = join(directory, 'served.yaml');
  writeFileSync(
    path,
    `slice: served
vnet: 10.83.0.0/16
substrate:
  nodes: { n1: {}, n2: {}, n3: {}, gw1: {}, gw2: {}, h1: {}, h2: {} }
  latency: { default: 1 }
vn:
  name: served
  routers: [a, b]
  links: [[a, b]]
  gateways:
    g1: { node: gw1, router: a }
    g2: { node: gw2, router: b }
  endHosts:
    e1:
      node: h1
      gateway: g1
      forward:
        - { port: ${toDns}, to: e2, toPort: ${dns} }
        - { port: ${toIperf}, to: e2, toPort: ${iperf} }
    e2: { node: h2, gateway: g2 }
placements:
  initial: { a: n1, b: n2 }
  final: { a: n3, b: n1 }
`,
  );
  return path;
}

describe('programs on end hosts in user space', () => {
  const own = ownTestbed(sliceFile, '--dataplane', 'userspace');
  let server: DnsServer;
  let asked = 0;
  const query = () => {
    asked += 1;
    return ask(toDns, `query${asked}`);
  };

  beforeAll(async () => {
    server = await startDnsServer(dns);
  });
  afterAll(() => server?.stop());

  it('a DNS client of one end host gets the answers of the DNS server of another', async () => {
    await own.vnm.ok('install served');
    expect(await query()).toEqual([knownAddress]);
    expect((await own.vnm.run('install served')).stdout).toContain('nothing changed');
  });

  it('every query is answered while the VN migrates', async () => {
    const migrating = own.vnm.ok<MigrateResult>('migrate served --to final');
    const isOver = { now: false };
    const answers: Promise<unknown>[] = [];
    const queries = (async () => {
      for (; !isOver.now; await sleep(10)) answers.push(query().catch((error: unknown) => error));
    })();
    const { outcome } = await migrating.finally(() => {
      isOver.now = true;
    });
    await queries;
    expect(outcome).toBe('completed');
    expect(answers.length).toBeGreaterThan(20);
    for (const answer of await Promise.all(answers)) expect(answer).toEqual([knownAddress]);
  });

  itWithProgram('iperf3', 'iperf3 loses no datagram while the VN migrates', async () => {
    const listener = spawn('iperf3', ['--server', '--port', `${iperf}`, '--bind', '127.0.0.1'], { stdio: 'ignore' });
    const exited = once(listener, 'exit');
    const relay = await relayTcp(toIperf, iperf);
    const words = `--client 127.0.0.1 --port ${toIperf} --udp --length 1200 --bitrate 1M --time 6 --json`;
    const measured = promisify(execFile)('iperf3', words.split(' '));
    const migrated = own.vnm.ok<MigrateResult>('migrate served --to initial');
    const [measurement, migration] = await Promise.allSettled([measured, migrated]);
    relay.close();
    listener.kill();
    await exited;
    if (measurement.status === 'rejected') throw measurement.reason;
    if (migration.status === 'rejected') throw migration.reason;
    const { stdout } = measurement.value;
    const { outcome } = migration.value;
    const { sum } = (JSON.parse(stdout) as { end: { sum: { packets: number; lost_packets: number } } }).end;
    expect(outcome).toBe('completed');
    expect(sum.packets).toBeGreaterThan(500);
    expect(sum.lost_packets).toBe(0);
  });

  it('agents that were killed have their forwards again; one whose port was taken is found missing, and repaired', async () => {
    for (const name of ['h1', 'h2']) {
      const [agent] = await processesBelow(`${own.testbed.directory}/nodes/${name}`);
      process.kill(agent!, 'SIGKILL');
    }
    const other = await takeOver(toDns);
    const { code, stdout } = await own.vnm.run('status served --live');
    await other[Symbol.asyncDispose]();
    expect(stdout).toContain(`forward at 127.0.0.1:${toDns}`);
    expect(stdout).not.toContain(`forward at 127.0.0.1:${toIperf}`);
    expect(code).not.toBe(0);
    expect((await own.vnm.run('reconcile served')).stdout).toContain(`forward at 127.0.0.1:${toDns}`);
    expect(await query()).toEqual([knownAddress]);
  });

  it('an uninstalled VN gives its ports back', async () => {
    await own.vnm.ok('uninstall served');
    for (const port of [toDns, toIperf]) await (await takeOver(port))[Symbol.asyncDispose]();
  });
});

/** Binds a port as soon as the process that had it has ended. */
async function takeOver(port: number) {
  for (let attempt = 1; ; attempt += 1) {
    const socket = createSocket('udp4').bind(port, '127.0.0.1');
    try {
      await once(socket, 'listening');
      return socket;
    } catch (error) {
      if (attempt === 50) throw error;
      await sleep(100);
    }
  }
}

/** Leads a TCP port to another one, as `ssh -L` does: iperf3 needs it to agree on what it measures. */
async function relayTcp(from: number, to: number) {
  const server = createServer((client) => {
    const far = connect(to, '127.0.0.1');
    client.pipe(far).pipe(client);
    for (const [socket, other] of [
      [client, far],
      [far, client],
    ] as const) {
      socket.on('error', () => other.destroy());
    }
  });
  server.listen(from, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

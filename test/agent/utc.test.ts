/** Tests what a node knows of UTC, and of its clock by exchanges, when that clock is hours off. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { steadyClock, systemClock } from '../../src/clock/clock.ts';
import { estimateByExchanges } from '../../src/clock/exchange.ts';
import { type AgentNode, agentLog, startAgentNode } from '../support/agent-node.ts';
import { describeAsRoot } from '../support/privileges.ts';

const skewMs = 5.5 * 3_600_000;
/** The NTP server's clock minus this machine's. */
const serverMs = -90_000;
/** Two processes read one clock to within a few microseconds. */
const readingMs = 0.05;

describeAsRoot('an agent whose clock is hours off', () => {
  let node: AgentNode;
  let server: ChildProcess;
  let elsewhere: string;
  let ntpServer: string;

  beforeAll(async () => {
    node = await startAgentNode();
    process.env.PL_VNM_CLOCK_SKEW_MS = String(skewMs);
    node.client();
    delete process.env.PL_VNM_CLOCK_SKEW_MS;
    // The server is another host.
    elsewhere = `${node.namespace}s`;
    const ip = (words: string) => execFileSync('ip', words.split(' '), { stdio: 'pipe' });
    ip(`netns add ${elsewhere}`);
    ip(`-n ${node.namespace} link add to-ntp type veth peer name to-node netns ${elsewhere}`);
    for (const [namespace, name, address] of [
      [node.namespace, 'to-ntp', '192.0.2.1/30'],
      [elsewhere, 'to-node', '192.0.2.2/30'],
    ]) {
      ip(`-n ${namespace} address add ${address} dev ${name}`);
      ip(`-n ${namespace} link set ${name} up`);
    }
    const support = new URL('../support/ntp-server.ts', import.meta.url).href;
    const script = `const { startNtpServer } = await import('${support}');
      process.stdout.write(String((await startNtpServer({ offsetMs: ${serverMs}, thereMs: 3, address: '192.0.2.2' })).port));`;
    const inside = [`--net=/run/netns/${elsewhere}`, '--', process.execPath, '--input-type=module', '-e', script];
    server = spawn('nsenter', inside, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [port] = await once(server.stdout!, 'data');
    ntpServer = `192.0.2.2:${port}`;
  });
  afterAll(async () => {
    server?.kill();
    if (elsewhere !== undefined) execFileSync('ip', ['netns', 'del', elsewhere]);
    await node?.remove();
  });

  it('the clock of an agent is measured within the bound', async () => {
    const ask = () => node.client().call('clock', {});
    const { offsetMs, boundMs } = await estimateByExchanges(ask, steadyClock(systemClock));
    expect(Math.abs(offsetMs - skewMs)).toBeLessThanOrEqual(boundMs + readingMs);
  });

  it('an agent reads NTP servers, and says which do not answer', async () => {
    const { sources, errors } = await node.client().call('utc', { ntpServers: [ntpServer, '192.0.2.2:9'] });
    const reading = sources.find(({ kind }) => kind === 'ntp')!;
    expect(reading.name).toBe(ntpServer);
    expect(Math.abs(reading.offsetMs - (skewMs - serverMs))).toBeLessThanOrEqual(reading.boundMs + readingMs);
    expect(errors).toEqual([expect.stringMatching(/^(cannot query )?NTP server '192.0.2.2:9'( did not answer|: )/)]);
    expect(agentLog(node)).not.toContain('DeprecationWarning');
  });

  it.each(['127.0.0.1', '192.0.2.1', '10.65.0.1', '169.254.1.1'])('an agent does not query %s', async (address) => {
    await expect(
      node
        .client()
        .call('utc', { ntpServers: [`${address}:9999`] })
        .then(({ errors }) => Promise.reject(new Error(errors[0]))),
    ).rejects.toThrow(`NTP server ${address}:9999 `);
  });

  it('an agent does not query itself by a name', async () => {
    const { sources, errors } = await node.client().call('utc', { ntpServers: ['localhost:9999'] });
    expect(sources.filter(({ kind }) => kind === 'ntp')).toEqual([]);
    expect(errors).toEqual([
      expect.stringMatching(/^NTP server localhost:9999 \(127.0.0.1\) does not belong to slice/),
    ]);
  });
});

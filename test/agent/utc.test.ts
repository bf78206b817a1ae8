/** What a node knows of UTC, and its clock by exchanges, where that clock is hours off. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { steadyClock, systemClock } from '../../src/clock/clock.ts';
import { estimateByExchanges } from '../../src/clock/exchange.ts';
import { type AgentNode, agentLog, startAgentNode } from '../support/agent-node.ts';
import { describeAsRoot } from '../support/privileges.ts';

const skewMs = 5.5 * 3_600_000;
/** The NTP server's clock, against this machine's. */
const serverMs = -90_000;
/** Two processes read one clock to within a few microseconds. */
const readingMs = 0.05;

describeAsRoot('an agent whose clock is hours off', () => {
  let node: AgentNode;
  let server: ChildProcess;
  let ntpServer: string;

  beforeAll(async () => {
    node = await startAgentNode();
    process.env.PL_VNM_CLOCK_SKEW_MS = String(skewMs);
    node.client();
    delete process.env.PL_VNM_CLOCK_SKEW_MS;
    const support = new URL('../support/ntp-server.ts', import.meta.url).href;
    const script = `const { startNtpServer } = await import('${support}');
      process.stdout.write(String((await startNtpServer({ offsetMs: ${serverMs}, thereMs: 3 })).port));`;
    const inside = [`--net=/run/netns/${node.namespace}`, '--', process.execPath, '--input-type=module', '-e', script];
    server = spawn('nsenter', inside, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [port] = await once(server.stdout!, 'data');
    ntpServer = `127.0.0.1:${port}`;
  });
  afterAll(async () => {
    server?.kill();
    await node?.remove();
  });

  it('is measured within the bound', async () => {
    const ask = () => node.client().call('clock', {});
    const { offsetMs, boundMs } = await estimateByExchanges(ask, steadyClock(systemClock));
    expect(Math.abs(offsetMs - skewMs)).toBeLessThanOrEqual(boundMs + readingMs);
  });

  it('reads NTP servers, and says which do not answer', async () => {
    const { sources, errors } = await node.client().call('utc', { ntpServers: [ntpServer, '127.0.0.1:9'] });
    const reading = sources.find(({ kind }) => kind === 'ntp')!;
    expect(reading.name).toBe(ntpServer);
    expect(Math.abs(reading.offsetMs - (skewMs - serverMs))).toBeLessThanOrEqual(reading.boundMs + readingMs);
    expect(errors).toEqual(["NTP server '127.0.0.1:9' did not answer within 1000 ms"]);
    expect(agentLog(node)).not.toContain('DeprecationWarning');
  });
});

import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createSystemClock, systemClock } from '../../src/clock/clock.ts';
import { queryNtp } from '../../src/clock/ntp.ts';
import { readUtc } from '../../src/clock/read-utc.ts';
import { VnmError } from '../../src/model/errors.ts';
import { type NtpServer, startNtpServer } from '../support/ntp-server.ts';

const servers: NtpServer[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

async function serve(options?: Parameters<typeof startNtpServer>[0]): Promise<NtpServer & { name: string }> {
  const server = await startNtpServer(options);
  servers.push(server);
  return { ...server, name: `127.0.0.1:${server.port}` };
}

/** The clock's first measurement may have been interrupted; each reading corrects it. */
beforeAll(() => {
  for (let reading = 0; reading < 20_000; reading += 1) systemClock.wallMs();
});

/** A clock reading is accurate to within a few microseconds. */
const readingMs = 0.05;
const options = { samples: 4, timeoutMs: 5000 };

async function failure(query: Promise<unknown>): Promise<unknown> {
  return query.then(
    () => expect.unreachable('it did not fail'),
    (error: unknown) => error,
  );
}

describe('queryNtp', () => {
  it.each([
    ['a correct clock', {}],
    ['a clock hours ahead', { offsetMs: 3 * 3_600_000 }],
    ['a clock years behind', { offsetMs: -2.5 * 365 * 86_400_000 }],
    ['a clock half a millisecond ahead', { offsetMs: 0.5 }],
    ['a slow path there', { offsetMs: -250, thereMs: 25 }],
    ['a slow path back', { offsetMs: 250, backMs: 25 }],
    ['a slow path both ways', { offsetMs: 1e6, thereMs: 10, backMs: 20 }],
  ])('queryNtp bounds the offset of %s', async (_, behaviour: { offsetMs?: number }) => {
    const { name, asked } = await serve(behaviour);
    const reading = await queryNtp(name, options, systemClock);
    expect(reading).toMatchObject({ kind: 'ntp', name });
    expect(asked()).toBe(4);
    // This machine's clock minus the server's.
    expect(Math.abs(reading.offsetMs + (behaviour.offsetMs ?? 0))).toBeLessThanOrEqual(reading.boundMs + readingMs);
  });

  it('the bound of an NTP reading has half the round trip and half the millisecond of rounding', async () => {
    const { name } = await serve({ thereMs: 10, backMs: 10 });
    expect((await queryNtp(name, options, systemClock)).boundMs).toBeGreaterThan(5);
    const near = await serve();
    expect((await queryNtp(near.name, options, systemClock)).boundMs).toBeGreaterThan(0.5);
  });

  it('queryNtp measures the clock that it is given', async () => {
    const { name } = await serve();
    const { offsetMs, boundMs } = await queryNtp(name, options, createSystemClock(86_400_000));
    expect(Math.abs(offsetMs - 86_400_000)).toBeLessThanOrEqual(boundMs + readingMs);
  });

  it('queryNtp accepts fewer answers than it asked for', async () => {
    const { name, asked } = await serve({ answers: 2 });
    expect(await queryNtp(name, { samples: 4, timeoutMs: 200 }, systemClock)).toMatchObject({ name });
    expect(asked()).toBe(3);
  });

  it('queryNtp finds a server by its name', async () => {
    const { port } = await serve();
    expect(await queryNtp(`localhost:${port}`, options, systemClock)).toMatchObject({ name: `localhost:${port}` });
  });

  it('queryNtp queries no server at a forbidden address, whatever its name', async () => {
    const { port, asked } = await serve();
    const check = (server: string, address: string) => {
      throw new VnmError('forbidden', `${server} is at ${address}`);
    };
    const refused = queryNtp(`localhost:${port}`, { ...options, check }, systemClock);
    expect(await failure(refused)).toMatchObject({ code: 'forbidden', message: `localhost:${port} is at 127.0.0.1` });
    expect(asked()).toBe(0);
  });

  it('queryNtp names the server that does not answer', async () => {
    const { name } = await serve({ answers: 0 });
    expect(await failure(queryNtp(name, { samples: 4, timeoutMs: 50 }, systemClock))).toMatchObject({
      code: 'timeout',
      message: `NTP server '${name}' did not answer within 50 ms`,
      hint: 'check that UDP gets to the server and back',
    });
  });

  it('queryNtp names the server that cannot be queried', async () => {
    expect(await failure(queryNtp('255.255.255.255', options, systemClock))).toMatchObject({
      code: 'unreachable',
      message: "cannot query NTP server '255.255.255.255': send EACCES 255.255.255.255:123",
    });
  });

  it.each([
    ['0 for the time', Buffer.alloc(48)],
    ['too little', Buffer.alloc(12)],
  ])('queryNtp names the server that answers %s', async (_, reply) => {
    const { name } = await serve({ reply });
    expect(await failure(queryNtp(name, options, systemClock))).toMatchObject({
      code: 'failed',
      message: `NTP server '${name}' answered without the time`,
    });
  });

  it('queryNtp refuses an invalid server name', async () => {
    expect(await failure(queryNtp('[::1]', options, systemClock))).toMatchObject({
      code: 'invalid-input',
      message: "'[::1]' is not an NTP server",
    });
  });

  it('queryNtp stops at once when interrupted, with or without answers', async () => {
    const { name } = await serve({ answers: 1 });
    const controller = new AbortController();
    const query = failure(queryNtp(name, { ...options, timeoutMs: 1000, signal: controller.signal }, systemClock));
    setTimeout(() => controller.abort(), 20);
    const interrupted = { code: 'interrupted', message: `the query to NTP server '${name}' was interrupted` };
    expect(await query).toMatchObject(interrupted);
    expect(await failure(queryNtp(name, { ...options, signal: controller.signal }, systemClock))).toMatchObject(
      interrupted,
    );
  });
});

describe('readUtc', () => {
  it('readUtc reads every server that answers, and says why the others failed', async () => {
    const [good, empty] = await Promise.all([serve({ offsetMs: 5000 }), serve({ reply: Buffer.alloc(48) })]);
    const { sources, errors } = await readUtc([good.name, empty.name], systemClock);
    expect(sources.filter(({ kind }) => kind === 'ntp').map(({ name }) => name)).toEqual([good.name]);
    expect(errors).toEqual([`NTP server '${empty.name}' answered without the time`]);
  });

  it('readUtc stops when interrupted', async () => {
    const { name } = await serve();
    expect(await failure(readUtc([name], systemClock, { signal: AbortSignal.abort() }))).toMatchObject({
      code: 'interrupted',
    });
  });
});

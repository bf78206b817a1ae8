/** Faults that hostile input has revealed, each in a test of its own. */
import { PassThrough, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { checkSlice, formatFault } from '../../src/slicefile/index.ts';
import { maxOperations } from '../../src/vsys/messages.ts';
import { parseParams } from '../../src/vsys/params.ts';
import { type RpcServer, serveRpc } from '../../src/vsys/rpc.ts';
import { createAgentUnderTest } from './agent-under-test.ts';

function serve(): { input: PassThrough; said: () => string[]; server: RpcServer } {
  const chunks: string[] = [];
  const input = new PassThrough();
  const output = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  const server = serveRpc(input, output, createAgentUnderTest().handlers);
  const bodies = () =>
    chunks
      .join('')
      .split(/Content-Length: \d+\r\n\r\n/)
      .slice(1);
  return { input, said: bodies, server };
}

function framed(body: string): string {
  return `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

describe('a channel', () => {
  it.each([
    ['1', '1'],
    ['1', '"1"'],
    ['"__proto__"', '"__proto__"'],
  ])(
    'two simultaneous requests with the ids %s and %s close the channel, because one would get no answer',
    async (one, other) => {
      const { input, said, server } = serve();
      input.write(
        [one, other].map((id) => framed(`{"jsonrpc":"2.0","id":${id},"method":"clock","params":{}}`)).join(''),
      );
      const message = `not a JSON-RPC message: another request with the id ${JSON.stringify(String(JSON.parse(other)))} is under way`;
      expect(await server.closed).toMatchObject({ code: 'invalid-input', message });
      expect(
        said()
          .map((body) => JSON.parse(body))
          .filter(({ id }) => id === null),
      ).toEqual([{ jsonrpc: '2.0', id: null, error: { code: -32602, message, data: { code: 'invalid-input' } } }]);
    },
  );

  it('an id that no answer could carry closes the channel', async () => {
    const { input, server } = serve();
    input.write(framed('{"jsonrpc":"2.0","id":1e999,"method":"clock","params":{}}'));
    expect(await server.closed).toMatchObject({ message: 'not a JSON-RPC message: the id is not a finite number' });
  });

  it('a channel refuses once, however much garbage arrives', async () => {
    const { input, said, server } = serve();
    input.write(['null', '[1]', '{', '{}'].map(framed).join(''));
    await server.closed;
    expect(said()).toHaveLength(1);
  });

  it('a refusal repeats no control characters', async () => {
    const { input, server } = serve();
    input.write(framed('\u001b[2J'));
    expect((await server.closed)?.message).toMatch(/^not a JSON-RPC message: [^\p{Cc}]+$/u);
    const other = serve();
    other.input.write(Buffer.from('\x9b2J\x7f\r\n\r\n', 'latin1'));
    expect(await other.server.closed).toMatchObject({
      message: String.raw`expected a message with Content-Length, got "?2J?\r\n\r\n"`,
    });
  });

  it('a message that never ends leaves no timer behind', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const { input, server } = serve();
    input.write('Content-Length: 1000\r\n\r\n{"jsonrpc"');
    await new Promise((resolve) => setImmediate(resolve));
    input.end();
    await server.closed;
    expect(timers()).toBe(before);
  });
});

describe('parameters', () => {
  const refusal = (method: 'apply' | 'routes', params: unknown) => {
    try {
      parseParams(method, params);
    } catch (error) {
      return error;
    }
    return undefined;
  };

  it('a batch with more operations than the protocol allows is refused', () => {
    const operations = Array(maxOperations + 1).fill({ op: 'rule_up' });
    expect(refusal('apply', { operations })).toMatchObject({
      code: 'invalid-input',
      message: 'apply: operations: 500001 exceed the limit of 500000',
      hint: 'send several batches',
    });
  });

  it('errors quote parameters briefly and without control characters', () => {
    const long = 'x\n'.repeat(100_000);
    expect(refusal('apply', { operations: [{ op: 'rule_up', [long]: 1 }] })).toMatchObject({
      message: `apply: operations[0]: Unrecognized key: "${'x?'.repeat(300)}`.slice(0, 500),
    });
    expect(refusal('apply', { operations: [{ op: long }] })).toMatchObject({
      message: `apply: operations[0].op: unknown operation "${String.raw`x\n`.repeat(50)}"`,
    });
    const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    expect(refusal('apply', { operations: [{ op: deep }] })).toMatchObject({
      message: 'apply: operations[0].op: unknown operation object',
    });
  });

  it('a namespace must have a plain name', () => {
    expect(refusal('routes', { namespace: 'pv-a_x\n2026-01-01 a line of its own' })).toMatchObject({
      code: 'invalid-input',
      message: 'routes: namespace: Invalid string: must match pattern /^[a-z0-9][a-z0-9._-]{0,99}$/',
    });
  });
});

describe('a slice file', () => {
  const faultsOf = (text: string) => {
    const checked = checkSlice(text, 'a.yaml');
    return 'faults' in checked ? checked.faults.map(formatFault) : [];
  };

  it('faults of a slice file have correct positions even where the YAML parser counts too few lines', () => {
    expect(faultsOf('  a: 1\nslice: x\n  y: 1\nb: 2\n').slice(3, 6)).toEqual([
      'a.yaml:3:4: invalid YAML: Unexpected map-value-ind token in YAML stream: ":"',
      'a.yaml:3:6: invalid YAML: Unexpected scalar token in YAML stream: "1"',
      'a.yaml:4:1: invalid YAML: Unexpected scalar token in YAML stream: "b"',
    ]);
  });

  it('a few YAML aliases cannot blow up a slice file', () => {
    const items = Array(1000).fill('x').join(', ');
    const aliases = Array(20).fill('*a').join(', ');
    expect(faultsOf(`slice: &a [${items}]\nvnet: [${aliases}]\n`)).toContain(
      'a.yaml:2:44: aliases for more than 10000 values (write the values out)',
    );
  });

  it('the depth and size of a slice file are limited', () => {
    const nested = `slice: a\nvnet: ${'['.repeat(200)}${']'.repeat(200)}`;
    expect(faultsOf(nested)).toContain('a.yaml:2:107: the file is nested too deeply');
    expect(faultsOf('#'.repeat(2 ** 22 + 1))).toEqual([
      'a.yaml:1:1: the file has 4194305 characters (at most 4194304)',
    ]);
    for (const part of ['[', '{', 'a,', '- ', '? ', 'a: ', '\n']) {
      expect(faultsOf(`slice: ${part.repeat(500_000)}`)).toEqual([
        'a.yaml:1:1: the file has 500001 brackets, separators and lines (at most 500000)',
      ]);
    }
  });

  it('faults quote a slice file briefly and without control characters', () => {
    const [fault] = faultsOf(`slice: a\nvnet: "${'9\\a'.repeat(10_000)}"\n`).filter((line) => line.includes(':2:7:'));
    expect(fault).toBe(
      `a.yaml:2:7: vnet: '${String.raw`9\u0007`.repeat(150).slice(0, -6)}... (write it like 10.65.0.0/16)`,
    );
  });
});

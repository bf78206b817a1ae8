import { PassThrough, Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type Caller, runCommand } from '../../../src/controller/inside/run.ts';
import { VnmError } from '../../../src/model/errors.ts';
import { timeLimits } from '../../../src/model/patience.ts';
import type { Method, Results } from '../../../src/vsys/messages.ts';

const id = '1b4e28ba-2fa1-4d2b-983f-2a5b4e6c7d8e';

type Read = Results['exec_read'];
const said = (stdout: string, stderr = ''): Read => ({
  stdout: Buffer.from(stdout).toString('base64'),
  stderr: Buffer.from(stderr).toString('base64'),
});
const ended = (end: Read['ended']): Read => ({ stdout: '', stderr: '', ...(end && { ended: end }) });

interface Played {
  readonly caller: Caller;
  readonly input: { text: string; isOver: boolean };
  readonly signals: string[];
}

/** An agent whose command prints `outputs`, one per request, and then waits for a signal or the end of its input. */
function played(outputs: readonly Read[], onSignal: Readonly<Record<string, readonly Read[]>> = {}): Played {
  const waiting = [...outputs];
  const input = { text: '', isOver: false };
  const signals: string[] = [];
  const call = async (method: Method, params: { data: string; end: boolean; signal: string }) => {
    await new Promise((resolve) => setImmediate(resolve));
    if (method === 'exec_read') return waiting.shift() ?? said('');
    if (method === 'exec_signal') {
      signals.push(params.signal);
      waiting.push(...(onSignal[params.signal] ?? []));
      return {};
    }
    input.text += Buffer.from(params.data, 'base64').toString();
    input.isOver ||= params.end;
    if (params.end && outputs.length === 0) waiting.push(said(input.text), ended({ code: 0 }));
    return { accepted: true, open: !params.end };
  };
  return { caller: { call: call as unknown as Caller['call'], limits: timeLimits() }, input, signals };
}

function streams(stdin: Readable = Readable.from([])) {
  const texts = { stdout: '', stderr: '' };
  const collect = (name: 'stdout' | 'stderr') =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        texts[name] += chunk.toString();
        done();
      },
    });
  return { texts, options: { stdin, stdout: collect('stdout'), stderr: collect('stderr'), what: 'the command' } };
}

describe('a command at a router', () => {
  it('passes on what it prints, and its exit code', async () => {
    const { texts, options } = streams(new PassThrough());
    const { caller } = played([said('one\n', 'two\n'), said('three\n'), ended({ code: 7 })]);
    expect(await runCommand(caller, id, options)).toEqual({ code: 7 });
    expect(texts).toEqual({ stdout: 'one\nthree\n', stderr: 'two\n' });
  });

  it('gets its input and the end of it', async () => {
    const { texts, options } = streams(Readable.from([Buffer.from('a'), Buffer.alloc(700_000, 'b')]));
    const { caller, input } = played([]);
    expect(await runCommand(caller, id, options)).toEqual({ code: 0 });
    expect(input.isOver).toBe(true);
    expect(texts.stdout).toBe(`a${'b'.repeat(700_000)}`);
  });

  it('is interrupted, and what it prints then is passed on', async () => {
    const { texts, options } = streams(new PassThrough());
    const { caller, signals } = played([said('ready\n')], { INT: [said('got it\n'), ended({ code: 0 })] });
    const abort = new AbortController();
    const running = runCommand(caller, id, { ...options, signal: abort.signal });
    await expect.poll(() => texts.stdout).toBe('ready\n');
    abort.abort();
    await expect(running).rejects.toMatchObject({ code: 'interrupted', message: 'the command was interrupted' });
    expect([texts.stdout, signals]).toEqual(['ready\ngot it\n', ['INT']]);
  });

  it('is killed if it does not end', async () => {
    const { options } = streams(new PassThrough());
    const { caller, signals } = played([said('ready\n')], { KILL: [ended({ code: null, signal: 'KILL' })] });
    await expect(runCommand(caller, id, { ...options, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'interrupted',
    });
    expect(signals).toEqual(['INT', 'KILL']);
  });

  it('ends when what it prints cannot be passed on, with the reason', async () => {
    const { options } = streams(new PassThrough());
    const { caller, signals } = played([said('much\n')], { INT: [ended({ code: null, signal: 'INT' })] });
    const stdout = new Writable({ write: (_chunk, _encoding, done) => done(new Error('no space left')) });
    await expect(runCommand(caller, id, { ...options, stdout })).rejects.toMatchObject({
      code: 'failed',
      message: 'cannot pass on the input or output of the command: no space left',
    });
    expect(signals).toEqual(['INT']);
  });

  it('reports a connection that ends, without asking for anything more', async () => {
    const { options } = streams(new PassThrough());
    const lost = new VnmError('unreachable', 'the connection was lost');
    const asked: string[] = [];
    const call = async (method: string) => {
      asked.push(method);
      throw lost;
    };
    const caller = { call: call as unknown as Caller['call'], limits: timeLimits() };
    await expect(runCommand(caller, id, options)).rejects.toBe(lost);
    expect(asked).not.toContain('exec_signal');
  });
});

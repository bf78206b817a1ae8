import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { VnmError } from '../../src/model/errors.ts';
import { logEvents, openLog } from '../../src/service/log.ts';
import { logLines } from '../support/log-lines.ts';

test('a record is one line of JSON with the time, the name of the level, the event and the fields', () => {
  const { log, text, records } = logLines();
  log.info('request', 'two\nlines', { method: 'POST', route: '/api/jobs', status: 201, ms: 1.5, vn: undefined });
  expect(text().split('\n')).toHaveLength(2);
  const [{ time, ...record }] = records() as [Record<string, unknown>];
  expect(new Date(time as string).toISOString()).toBe(time);
  expect(record).toEqual({
    level: 'info',
    event: 'request',
    msg: 'two\nlines',
    method: 'POST',
    route: '/api/jobs',
    status: 201,
    ms: 1.5,
  });
});

test('an error has its code and message, and an unforeseen one its stack', () => {
  const { log, records } = logLines();
  log.warn('request-failed', 'foreseen', {
    err: new VnmError('unreachable', 'node n1 is unreachable', { hint: 'wait' }),
  });
  log.error('request-failed', 'unforeseen', { err: new TypeError('x is undefined') });
  log.error('request-failed', 'not even an error', { err: 'text' });
  expect(records()).toMatchObject([
    { level: 'warn', err: { code: 'unreachable', message: 'node n1 is unreachable' } },
    { level: 'error', err: { code: 'failed', message: 'x is undefined', stack: expect.stringContaining('log.test') } },
    { level: 'error', err: { code: 'failed', message: 'text' } },
  ]);
  expect(Object.keys(records()[0]!.err as object)).toEqual(['code', 'message']);
});

test('records below the level are omitted', () => {
  const lines: string[] = [];
  const log = openLog({ level: 'warn', stream: { write: (line) => void lines.push(line) } });
  log.info('request', 'no');
  log.warn('request', 'yes');
  expect(lines).toHaveLength(1);
});

test('docs/service.md lists every event and every field', () => {
  const docs = readFileSync(new URL('../../docs/service.md', import.meta.url), 'utf8');
  const section = docs.slice(docs.indexOf('## The log'));
  const fields = ['time', 'level', 'event', 'msg', 'slice', 'vn', 'node', 'job', 'migration', 'ms', 'method', 'route'];
  const names = [...logEvents, ...fields, 'status', 'err'];
  expect(names.filter((name) => !section.includes(`\`${name}\``))).toEqual([]);
});

test('a reader that pauses does not stop the service, and loses whole lines beyond a limit', async () => {
  const log = new URL('../../src/service/log.ts', import.meta.url);
  const script = `
    import { openLog } from '${log}';
    const log = openLog();
    for (let k = 0; k < 100; k += 1) log.info('progress', 'x'.repeat(100_000));
    process.stdout.write('goes on');`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'close');
  const [said] = await once(child.stdout.setEncoding('utf8'), 'data');
  expect(said).toBe('goes on');
  let lines = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    lines += text;
  });
  expect(await ended).toEqual([0, null]);
  const messages = lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).msg.length);
  expect(new Set(messages)).toEqual(new Set([100_000]));
  expect(messages.length).toBeLessThan(100);
});

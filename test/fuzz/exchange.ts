/** Writes everything to one channel to the agent, and checks everything that comes back. */
import { PassThrough, Writable } from 'node:stream';
import { errorCodes } from '../../src/model/errors.ts';
import { serveRpc } from '../../src/vsys/rpc.ts';
import type { AgentUnderTest } from './agent-under-test.ts';
import type { Batch, Frame } from './frames.ts';
import { allows, isTame, type World } from './oracle.ts';

/** Nothing here waits for the outside, so only something endless takes this long. */
const patienceMs = 20_000;
const maxMessage = 1000;

export interface Tally {
  requests: number;
  /** Requests answered with a result. */
  done: number;
  /** Requests answered with an error, by its code. */
  readonly refused: Map<string, number>;
  /** Channels that were closed because of what was sent. */
  closed: number;
  /** Calls that got through to the data plane and the like. */
  calls: number;
}

export function newTally(): Tally {
  return { requests: 0, done: 0, refused: new Map(), closed: 0, calls: 0 };
}

interface Answer {
  readonly id: unknown;
  readonly result?: unknown;
  readonly error?: { code: number; message: string; data?: { code?: string } };
}

/** Throws when the agent does something forbidden, or fails to do something required. */
export async function exchange(agent: AgentUnderTest, world: World, batch: Batch, tally: Tally): Promise<void> {
  const asked = askedOf(batch.frames);
  const answers: Answer[] = [];
  let onAnswer = () => {};
  const input = new PassThrough();
  const output = answersTo((answer) => {
    answers.push(answer);
    onAnswer();
  });
  const server = serveRpc(input, output, agent.handlers);
  let isClosed = false;
  void server.closed.then(() => {
    isClosed = true;
    onAnswer();
  });

  const bytes = Buffer.concat([...batch.frames.map((frame) => frame.bytes), batch.ending ?? Buffer.alloc(0)]);
  for (let start = 0; start < bytes.length; start += batch.pieceBytes) {
    input.write(bytes.subarray(start, start + batch.pieceBytes));
  }
  const settled = new Promise<void>((resolve) => {
    onAnswer = () => {
      if (isClosed || answers.filter(({ id }) => id !== null).length >= tallyOf(asked)) resolve();
    };
    onAnswer();
  });
  await withPatience(settled, () => `no answer to ${unanswered(asked, answers)}`);
  // Time for excess answers.
  await turns(3);
  if (!isClosed) input.end();
  const reason = await withPatience(server.closed, () => 'the channel does not close');
  await turns(1);

  checkAnswers(world, asked, answers, batch.ending !== undefined);
  checkEnd(answers, reason, asked);
  for (const { method, params } of agent.calls) {
    if (!allows(world, method, params)) fail('the policy does not allow what was done', { method, params });
    if (!isTame(params)) fail('done although it is no plain word', { method, params });
  }
  count(tally, asked, answers, agent, reason !== undefined);
  agent.calls.length = 0;
}

type Asked = Map<string, { readonly method: string; readonly params: unknown }[]>;

function askedOf(frames: readonly Frame[]): Asked {
  return Map.groupBy(
    frames.flatMap(({ request }) => request ?? []),
    ({ id }) => id,
  );
}

function tallyOf(asked: Asked): number {
  return [...asked.values()].reduce((sum, requests) => sum + requests.length, 0);
}

function unanswered(asked: Asked, answers: readonly Answer[]): string {
  const answered = new Set(answers.map(({ id }) => JSON.stringify(id)));
  const missing = [...asked].filter(([id]) => !answered.has(id)).map(([id, requests]) => ({ id, requests }));
  return JSON.stringify(missing).slice(0, 2000);
}

/** Checks that every answer is well-formed, answers a request, and agrees with the policy. */
function checkAnswers(world: World, asked: Asked, answers: readonly Answer[], hasEnding: boolean): void {
  for (const [id, group] of Map.groupBy(answers, (answer) => JSON.stringify(answer.id))) {
    for (const answer of group) checkForm(answer);
    const requests = asked.get(id);
    if (id === 'null') continue;
    if (requests === undefined) {
      // Altered or random bytes may have become a request.
      if (!hasEnding || group.length > 1) fail('an answer to no request', group);
    } else if (group.length > requests.length + Number(hasEnding)) {
      fail('answered more than once', { requests, group });
    } else if (requests.length === 1 && group.length === 1) {
      checkVerdict(world, requests[0]!, group[0]!);
    }
  }
}

function checkForm({ id, result, error, ...rest }: Answer): void {
  const { jsonrpc, ...others } = rest as { jsonrpc?: unknown };
  const isAnswer =
    jsonrpc === '2.0' && Object.keys(others).length === 0 && (result === undefined) !== (error === undefined);
  if (!isAnswer) fail('not a JSON-RPC answer', { id, result, error, rest });
  if (error === undefined) return;
  const { code, message, data } = error;
  const isWhole = Number.isInteger(code) && errorCodes.some((known) => known === data?.code);
  if (!isWhole) fail('an error without a code', error);
  if (typeof message !== 'string' || message === '' || message.length > maxMessage || /\p{Cc}/u.test(message)) {
    fail('an error without a proper message', error);
  }
}

function checkVerdict(world: World, request: { method: string; params: unknown }, { result, error }: Answer): void {
  const code = error?.data?.code;
  if (result !== undefined && !allows(world, request.method, request.params)) fail('done, but not allowed', request);
  if (code === 'forbidden' && allows(world, request.method, request.params)) fail('allowed, but refused', request);
  if (code === 'failed') fail('an unexpected error', { request, error });
}

/** Checks that a channel that stays open has answered everything, and that a closed one said why, once. */
function checkEnd(answers: readonly Answer[], reason: Error | undefined, asked: Asked): void {
  const refusals = answers.filter(({ id }) => id === null);
  if (refusals.length > 1) fail('refused more than once', refusals);
  if (refusals.length === 1 && reason?.message !== refusals[0]!.error?.message)
    fail('closed for another reason', { reason, refusals });
  if (reason !== undefined || refusals.length > 0) return;
  for (const [id, requests] of asked) {
    const count = answers.filter((answer) => JSON.stringify(answer.id) === id).length;
    if (count < requests.length) fail('not answered', { id, requests });
  }
}

function count(tally: Tally, asked: Asked, answers: readonly Answer[], agent: AgentUnderTest, closed: boolean): void {
  tally.requests += tallyOf(asked);
  tally.calls += agent.calls.length;
  tally.closed += Number(closed);
  for (const { result, error } of answers) {
    if (result !== undefined) tally.done += 1;
    const code = error?.data?.code;
    if (code !== undefined) tally.refused.set(code, (tally.refused.get(code) ?? 0) + 1);
  }
}

/** Parses what the agent writes, without the library that wrote it. */
function answersTo(take: (answer: Answer) => void): Writable {
  let text = Buffer.alloc(0);
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      text = Buffer.concat([text, Buffer.from(chunk)]);
      for (;;) {
        const end = text.indexOf('\r\n\r\n');
        if (end === -1) break;
        const length = Number(/^Content-Length: (\d+)$/.exec(text.toString('latin1', 0, end))?.[1] ?? Number.NaN);
        if (Number.isNaN(length)) fail('the agent writes no frames', text.toString().slice(0, 200));
        if (text.length < end + 4 + length) break;
        take(JSON.parse(text.toString('utf8', end + 4, end + 4 + length)));
        text = text.subarray(end + 4 + length);
      }
      done();
    },
  });
}

async function turns(number: number): Promise<void> {
  for (let turn = 0; turn < number; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function withPatience<T>(promise: Promise<T>, why: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(why())), patienceMs);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

function fail(what: string, details: unknown): never {
  throw new Error(`${what}: ${JSON.stringify(details)?.slice(0, 3000)}`);
}

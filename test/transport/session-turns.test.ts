/** Sessions of one connection take turns where the server allows fewer than are wanted. */
import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientChannel } from 'ssh2';
import { expect, it } from 'vitest';
import { VnmError } from '../../src/model/errors.ts';
import { openInTurns, SessionRefused } from '../../src/transport/session-turns.ts';

/** A server that allows `allowed` sessions, answers slowly that one is open, and notices late that one is closed. */
function slowServer(allowed: number): (command: string) => Promise<ClientChannel> {
  let open = 0;
  return async (command) => {
    if (open === allowed) throw new SessionRefused(new VnmError('failed', `refused ${command}`));
    open += 1;
    await sleep(20);
    const channel = new EventEmitter();
    setTimeout(() => channel.emit('close'), 1);
    setTimeout(() => {
      open -= 1;
    }, 5);
    return channel as ClientChannel;
  };
}

it('many commands at once all get their turn on a server that allows one session', async () => {
  const open = openInTurns(slowServer(1), { stepMs: 60_000 }, {});
  const words = Array.from({ length: 20 }, (_, index) => `${index}`);
  expect(await Promise.all(words.map(async (word) => void (await open(word))))).toHaveLength(words.length);
});

it('a server that allows no session is reported with its reason', async () => {
  const open = openInTurns(slowServer(0), { stepMs: 60_000 }, {});
  await expect(open('a')).rejects.toThrow('refused a');
});

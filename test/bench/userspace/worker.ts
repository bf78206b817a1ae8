/**
 * One process of the benchmark: what forwards, or an end that sends or receives. Takes calls over the channel to its
 * parent, and ends with it.
 */
import { createEnd } from './end.ts';
import { startRelay, startRouter } from './forwarders.ts';

const end = createEnd();
const tasks = {
  startRelay,
  startRouter,
  open: end.open,
  receive: end.receive,
  answer: end.answer,
  send: end.send,
  ping: end.ping,
  received: () => end.received(),
  /** Processor time of this process so far. */
  cpuMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};
export type Tasks = typeof tasks;

interface Call {
  readonly name: keyof Tasks;
  readonly options: unknown;
}

process.on('message', async ({ name, options }: Call) => {
  try {
    process.send!({ result: await (tasks[name] as (options: unknown) => unknown)(options) });
  } catch (error) {
    process.send!({ error: (error as Error).stack });
  }
});
process.on('disconnect', () => process.exit());

/** Sends numbered UDP packets between network namespaces, to see which arrive and in which order. Needs root. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

function start(namespace: string, script: string, prefix: readonly string[] = []): ChildProcess {
  const inside = [`--net=/run/netns/${namespace}`, '--', process.execPath, '--input-type=module', '--eval', script];
  const [command, ...words] = [...prefix, 'nsenter', ...inside] as [string, ...string[]];
  return spawn(command, words, { stdio: ['pipe', 'pipe', 'inherit'] });
}

/**
 * Arguments that keep a process on one processor. Each processor has its own queue for packets between namespaces:
 * after a process moves to another one, its packets can overtake those in the former queue.
 */
function onOneProcessor(): string[] {
  const [, first] = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))!;
  return ['taskset', '--cpu-list', first!];
}

async function ask(child: ChildProcess): Promise<unknown> {
  let text = '';
  const answered = new Promise<string>((resolve) => {
    const onData = (chunk: Buffer) => {
      text += chunk.toString();
      if (text.endsWith('\n')) {
        child.stdout!.off('data', onData);
        resolve(text);
      }
    };
    child.stdout!.on('data', onData);
  });
  child.stdin!.write('\n');
  return JSON.parse(await answered);
}

export interface NumberedReceiver {
  /** The numbers received so far, in the order of arrival. */
  numbers(): Promise<number[]>;
  end(): Promise<void>;
}

export async function receiveNumbered(namespace: string, address: string, port: number): Promise<NumberedReceiver> {
  const child = start(
    namespace,
    `import { createSocket } from 'node:dgram';
    const socket = createSocket({ type: 'udp4', recvBufferSize: 8e6 });
    const numbers = [];
    socket.on('message', (packet) => numbers.push(packet.readUInt32BE()));
    socket.bind(${port}, '${address}', () => console.log('ready'));
    process.stdin.on('data', () => console.log(JSON.stringify(numbers)));
    process.stdin.on('end', () => process.exit());`,
  );
  await once(child.stdout!, 'data');
  return {
    numbers: async () => (await ask(child)) as number[],
    end: async () => {
      const ended = once(child, 'exit');
      child.stdin!.end();
      await ended;
    },
  };
}

/** Sends packets 0, 1, 2 ... as evenly as a timer allows, until `stop`, which returns their number. */
export async function sendNumbered(
  namespace: string,
  from: string,
  to: string,
  port: number,
  perMs: number,
): Promise<{ stop(): Promise<number> }> {
  const child = start(
    namespace,
    `import { createSocket } from 'node:dgram';
    const socket = createSocket({ type: 'udp4', sendBufferSize: 8e6 });
    const packet = () => { const bytes = Buffer.alloc(100); bytes.writeUInt32BE(given++); return bytes; };
    let given = 0;
    let gone = 0;
    setTimeout(() => process.exit(1), 30_000);
    socket.bind(0, '${from}', () => {
      console.log('ready');
      const startMs = performance.now();
      const timer = setInterval(() => {
        // On a busy machine, a backlog of packets must not delay the end.
        for (let k = 0; k < 1000 && given < (performance.now() - startMs) * ${perMs}; k += 1) {
          socket.send(packet(), ${port}, '${to}', () => { gone += 1; });
        }
      }, 1);
      process.stdin.on('data', () => {
        clearInterval(timer);
        const wait = setInterval(() => { if (gone === given) { console.log(given); process.exit(); } }, 1);
      });
    });`,
    onOneProcessor(),
  );
  await once(child.stdout!, 'data');
  return { stop: async () => (await ask(child)) as number };
}

/** Sends and receives UDP packets by a process in a network namespace. Needs root. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

function start(namespace: string, script: string): ChildProcess {
  const inside = [`--net=/run/netns/${namespace}`, '--', process.execPath, '--input-type=module', '--eval', script];
  return spawn('nsenter', inside, { stdio: ['pipe', 'pipe', 'inherit'] });
}

/** Counts the packets that arrive at an address and port; `stop` ends that and returns the number. */
export async function countUdp(namespace: string, address: string, port: number): Promise<{ stop(): Promise<number> }> {
  const child = start(
    namespace,
    `import { createSocket } from 'node:dgram';
    const socket = createSocket({ type: 'udp4', recvBufferSize: 8e6 });
    let count = 0;
    socket.on('message', () => { count += 1; });
    socket.bind(${port}, '${address}', () => console.log('ready'));
    process.stdin.on('data', () => { console.log(count); process.exit(); });`,
  );
  await once(child.stdout!, 'data');
  return {
    stop: async () => {
      child.stdin!.write('\\n');
      const [text] = await once(child.stdout!, 'data');
      return Number(text);
    },
  };
}

/** Sends packets at a rate per ms, and resolves when all are sent. */
export async function sendUdp(
  namespace: string,
  from: string,
  to: string,
  port: number,
  count: number,
  perMs: number,
): Promise<void> {
  const child = start(
    namespace,
    `import { createSocket } from 'node:dgram';
    const socket = createSocket('udp4');
    let given = 0;
    let gone = 0;
    const onGone = () => { gone += 1; if (gone === ${count}) socket.close(); };
    socket.bind(0, '${from}', () => {
      const timer = setInterval(() => {
        for (let i = 0; i < ${perMs} && given < ${count}; i += 1, given += 1) socket.send('x', ${port}, '${to}', onGone);
        if (given === ${count}) clearInterval(timer);
      }, 1);
    });`,
  );
  await once(child, 'exit');
}

/** A connected socket, for which the kernel caches the route; `send` sends one packet. */
export async function connectedUdp(
  namespace: string,
  from: string,
  to: string,
  port: number,
): Promise<{ send(): Promise<void>; close(): Promise<void> }> {
  const child = start(
    namespace,
    `import { createSocket } from 'node:dgram';
    const socket = createSocket('udp4');
    socket.bind(0, '${from}', () => socket.connect(${port}, '${to}', () => console.log('ready')));
    process.stdin.on('data', () => socket.send('x', () => console.log('gone')));
    process.stdin.on('end', () => process.exit());`,
  );
  await once(child.stdout!, 'data');
  return {
    send: async () => {
      child.stdin!.write('\n');
      await once(child.stdout!, 'data');
    },
    close: async () => {
      child.stdin!.end();
      await once(child, 'exit');
    },
  };
}

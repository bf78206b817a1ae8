/** A program that sends and receives VXLAN over a plain UDP socket. Needs root only to enter the namespace. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface VxlanSender {
  /** Sends frames in the given order, each in its own packet. */
  send(to: string, vni: number, frames: readonly Buffer[]): Promise<void>;
  /** The frames received so far. */
  received(): Promise<Buffer[]>;
  end(): Promise<void>;
}

const script = `import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';
const [address, port, group, member] = process.argv.slice(1);
const socket = createSocket({ type: 'udp4', recvBufferSize: 8e6 });
const received = [];
socket.on('message', (packet) => received.push(packet.subarray(8).toString('base64')));
socket.bind(Number(port), address, () => {
  if (group !== undefined) socket.addMembership(group, member);
  console.log('ready');
});
createInterface(process.stdin).on('line', async (line) => {
  const request = JSON.parse(line);
  const send = (packet) => new Promise((done) => socket.send(Buffer.from(packet, 'base64'), Number(request.port), request.to, done));
  for (const packet of request.packets ?? []) await send(packet);
  console.log(JSON.stringify(request.packets === undefined ? received : []));
});`;

/** Binds to an address and port there, sends to `tunnelPort`, and joins `groups`: a multicast group and its address. */
export async function startVxlanSender(
  namespace: string,
  address: string,
  port: number,
  tunnelPort: number,
  groups: readonly string[] = [],
): Promise<VxlanSender> {
  const inside = [`--net=/run/netns/${namespace}`, '--', process.execPath, '--input-type=module', '--eval', script];
  const child: ChildProcess = spawn('nsenter', [...inside, '--', address, String(port), ...groups], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout!)[Symbol.asyncIterator]();
  await lines.next();

  async function ask(request: object): Promise<string[]> {
    child.stdin!.write(`${JSON.stringify(request)}\n`);
    return JSON.parse((await lines.next()).value ?? '') as string[];
  }

  return {
    send: async (to, vni, frames) => {
      const header = Buffer.from([8, 0, 0, 0, vni >> 16, (vni >> 8) & 255, vni & 255, 0]);
      const packets = frames.map((frame) => Buffer.concat([header, frame]).toString('base64'));
      await ask({ to, port: tunnelPort, packets });
    },
    received: async () => (await ask({})).map((frame) => Buffer.from(frame, 'base64')),
    end: async () => {
      child.kill('SIGKILL');
      await once(child, 'close');
    },
  };
}

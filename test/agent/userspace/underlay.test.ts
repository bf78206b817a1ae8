import { describe, expect, it } from 'vitest';
import { openUnderlay, type Underlay } from '../../../src/agent/dataplane/userspace/underlay.ts';

const address = '127.0.0.1';

interface Heard {
  readonly text: string;
  readonly address: string;
  readonly port: number;
}

async function open(port = 0): Promise<{ underlay: Underlay; heard: Heard[] }> {
  const heard: Heard[] = [];
  const onDatagram = (datagram: Buffer, sender: string, senderPort: number) =>
    heard.push({ text: datagram.toString(), address: sender, port: senderPort });
  const underlay = await openUnderlay({ address, port, onDatagram, log: () => {} });
  return { underlay, heard };
}

describe('the socket of the tunnels', () => {
  it('sends the rest of a buffer, from its own port', async () => {
    const [a, b] = [await open(), await open()];
    a.underlay.send(Buffer.from('xxhello'), 2, b.underlay.port, address);
    await expect.poll(() => b.heard).toEqual([{ text: 'hello', address, port: a.underlay.port }]);
    await Promise.all([a.underlay.close(), b.underlay.close()]);
  });

  it('loses what cannot be sent, and sends what follows it', async () => {
    const [a, b] = [await open(), await open()];
    a.underlay.send(Buffer.alloc(70_000), 0, b.underlay.port, address);
    a.underlay.send(Buffer.from('hello'), 0, b.underlay.port, address);
    await expect.poll(() => b.heard).toMatchObject([{ text: 'hello' }]);
    await Promise.all([a.underlay.close(), b.underlay.close()]);
  });

  it('loses what is sent after it was closed', async () => {
    const { underlay } = await open();
    await underlay.close();
    expect(() => underlay.send(Buffer.from('late'), 0, 9, address)).not.toThrow();
  });

  it('is refused a port that something else has', async () => {
    const { underlay } = await open();
    await expect(open(underlay.port)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(`cannot open UDP port ${underlay.port} of ${address} for tunnels: `),
    });
    await underlay.close();
  });
});

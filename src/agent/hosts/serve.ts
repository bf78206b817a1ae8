/** The agent's socket for programs at end hosts of the slice on this node. */
import { createServer, type Server, type Socket } from 'node:net';
import { errorJson, messageOf, VnmError } from '../../model/errors.ts';
import type { Log } from '../log.ts';
import { type AttachAnswer, attachRequest, encode } from './attachment.ts';
import { frameReader, sendFrame } from './frames.ts';

/** What attaches to an address of the node's own stack. */
export interface HostAttachments {
  /**
   * `take` gets the packets for the address that the agent itself has no use for, each valid until it returns. Throws
   * VnmError `not-found` if the address is not here, `conflict` if something is attached to it.
   */
  attach(address: string, take: (packet: Buffer) => void): Attachment;
  /** Throws as `attach`, and attaches nothing. */
  check(address: string): Omit<Attachment, 'send' | 'close'>;
}

interface Attachment {
  /** The VN's, bytes. */
  readonly mtu: number;
  /** The slice's subnet. */
  readonly subnet: string;
  /** Sends a packet from the address. One with another source, or that is malformed, is dropped. */
  send(packet: Buffer): void;
  close(): void;
}

export function serveHosts(hosts: HostAttachments, log: Log): Server {
  return createServer((socket) => serveOne(socket, hosts, log));
}

function serveOne(socket: Socket, hosts: HostAttachments, log: Log): void {
  let attachment: Attachment | undefined;
  let isAnswered = false;
  const first = (message: Buffer) => {
    isAnswered = true;
    const { answer, attached } = answerTo(message, socket, hosts);
    attachment = attached;
    sendFrame(socket, encode(answer));
    if (attached === undefined) socket.end();
    else log('a program at an end host began');
  };
  socket.on(
    'data',
    frameReader((message) => {
      if (attachment !== undefined) attachment.send(message);
      else if (!isAnswered) first(message);
    }),
  );
  // 'close' follows, and only that matters.
  socket.on('error', () => {});
  socket.on('close', () => {
    if (attachment !== undefined) log('a program at an end host ended');
    attachment?.close();
    attachment = undefined;
  });
}

function answerTo(
  message: Buffer,
  socket: Socket,
  hosts: HostAttachments,
): { answer: AttachAnswer; attached?: Attachment } {
  try {
    const { address, check } = parse(message);
    if (check) {
      const { mtu, subnet } = hosts.check(address);
      return { answer: { mtu, subnet } };
    }
    const attached = hosts.attach(address, (packet) => void sendFrame(socket, packet));
    return { answer: { mtu: attached.mtu, subnet: attached.subnet }, attached };
  } catch (error) {
    return { answer: errorJson(error) };
  }
}

/** Throws VnmError `invalid-input`. */
function parse(message: Buffer) {
  try {
    return attachRequest.parse(JSON.parse(message.toString()));
  } catch (error) {
    throw new VnmError('invalid-input', `invalid request to attach: ${messageOf(error)}`, { cause: error });
  }
}

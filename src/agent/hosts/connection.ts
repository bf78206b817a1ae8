/** A connection to the agent for a program at an end host. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { messageOf, VnmError } from '../../model/errors.ts';
import { agentPaths } from '../paths.ts';
import { type Attached, type AttachRequest, decodeAnswer, encode } from './attachment.ts';
import { frameReader, sendFrame } from './frames.ts';

export interface AgentSocket {
  readonly socket: Socket;
  readonly attached: Attached;
}

/**
 * `take` gets the packets for the end host. Throws the agent's errors (`not-found`, `conflict`), and `failed` if no
 * agent of the userspace data plane runs for the slice.
 */
export async function connectToAgent(
  slice: string,
  request: AttachRequest,
  take: (packet: Buffer) => void = () => {},
): Promise<AgentSocket> {
  const socket = connect(agentPaths(slice).hostSocket);
  try {
    await once(socket, 'connect');
    const { promise: answer, resolve, reject } = Promise.withResolvers<Attached>();
    let isAttached = false;
    const reader = frameReader((message) => {
      if (isAttached) {
        take(message);
        return;
      }
      isAttached = true;
      try {
        resolve(decodeAnswer(message));
      } catch (error) {
        reject(error);
      }
    });
    socket.on('data', reader);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the agent closed the connection')));
    sendFrame(socket, encode(request));
    return { socket, attached: await answer };
  } catch (error) {
    socket.on('error', () => {}).destroy();
    if (error instanceof VnmError) throw error;
    throw new VnmError('failed', `cannot connect to the agent of slice '${slice}': ${messageOf(error)}`, {
      hint: 'run the command again: that starts the agent',
      cause: error,
    });
  }
}

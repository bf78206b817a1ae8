/** From a TCP connection to a login: the host key is verified, then one key after the other is tried. */
import { connect, type Socket } from 'node:net';
import type { Client } from 'ssh2';
import { messageOf, type VnmError } from '../model/errors.ts';
import { hostKeyGuard } from './host-key-guard.ts';
import { explainFailure, explainTimeout, interrupted, nameOf, type Phase, unreachable } from './ssh-errors.ts';
import { keyRing } from './ssh-keys.ts';
import type { SshOptions, SshTarget } from './ssh-session.ts';

/** Resolves with the connection's socket once logged in. Errors as `connectSsh`; then nothing is left open. */
export async function logIn(client: Client, target: SshTarget, options: SshOptions): Promise<Socket> {
  const { signal, connectTimeoutMs = 10_000, keepaliveMs = 5000 } = options;
  const keys = await keyRing(target.user, target.keyPath);
  if (keys.isEmpty) throw unreachable(target, keys.explain());
  const hostKey = hostKeyGuard(target, options.acceptNewHostKeys);
  const aborted = (): VnmError => interrupted(`the connection to ${nameOf(target)}`, signal);
  if (signal?.aborted) throw aborted();

  let phase: Phase = 'connecting';
  const socket = connect({ host: target.host, port: target.port, noDelay: true });
  socket.once('connect', () => {
    phase = 'handshake';
  });
  client.once('handshake', () => {
    phase = 'authentication';
  });

  await new Promise<void>((resolve, reject) => {
    const end = (error?: VnmError): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      client.off('error', onError).off('close', onClose);
      if (error === undefined) {
        resolve();
      } else {
        socket.destroy();
        reject(error);
      }
    };
    const onAbort = (): void => end(aborted());
    const onClose = (): void => end(unreachable(target, explainFailure(undefined, phase)));
    const onError = (error: Error & { level?: string }): void => {
      const isAboutOneKey = error.level === 'agent' || error.level === 'client-authentication';
      if (phase === 'authentication') keys.note(messageOf(error));
      // ssh2 reports a key or an ssh agent that fails, and goes on with the next.
      if (isAboutOneKey) return;
      const reason = phase === 'authentication' ? keys.explain() : explainFailure(error, phase);
      end(hostKey.refusal() ?? unreachable(target, reason, error));
    };
    const timer = setTimeout(() => end(unreachable(target, explainTimeout(phase, connectTimeoutMs))), connectTimeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    client.once('ready', () => end());
    client.on('error', onError).on('close', onClose);
    client.connect({
      sock: socket,
      username: target.user,
      readyTimeout: 0,
      keepaliveInterval: keepaliveMs,
      keepaliveCountMax: 3,
      algorithms: { serverHostKey: hostKey.algorithms },
      hostVerifier: (key: Buffer) => hostKey.accepts(key),
      authHandler: (_left, _partial, next) => {
        const method = keys.next();
        if (method === undefined) end(unreachable(target, keys.explain()));
        else next(method);
      },
    });
  });
  return socket;
}

import { VnmError } from '../../model/errors.ts';

export function inUse(stream: string, verb: 'received' | 'sent'): VnmError {
  return new VnmError('conflict', `stream '${stream}' is already being ${verb} on this node`, {
    hint: 'close it with stream_report, or use another id',
  });
}

export function unknownStream(stream: string): VnmError {
  return new VnmError('not-found', `this node has no stream '${stream}'`, {
    hint: 'open it or send it first; a stream that is idle for two hours is dropped',
  });
}

export function notSent(stream: string): VnmError {
  return new VnmError('not-found', `this node receives stream '${stream}' but does not send it`, {
    hint: 'stop it on the node that sends it',
  });
}

export function tooManyStreams(stream: string, limit: number): VnmError {
  return new VnmError('forbidden', `cannot add stream '${stream}': at most ${limit} streams are allowed on this node`, {
    hint: 'close finished streams, or raise limits.streams in the policy of the node',
  });
}

export function tooMuchTraffic(stream: string, askedBps: number, sendingBps: number, limitBps: number): VnmError {
  return new VnmError(
    'forbidden',
    `stream '${stream}' asks for ${askedBps} bit/s, but ${sendingBps} of the ${limitBps} bit/s allowed on this node are in use`,
    { hint: 'stop other streams, lower the rate, or raise limits.trafficBps in the policy of the node' },
  );
}

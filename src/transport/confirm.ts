import { defaultConfirmMs, type Method, type ParamsInput, type Results } from '../vsys/messages.ts';
import type { CallOptions } from '../vsys/rpc.ts';

export type Call = <M extends Method>(method: M, params: ParamsInput<M>, options?: CallOptions) => Promise<Results[M]>;

/**
 * Confirms at once an answer that asks for it: that it arrived shows that the path from the node is not cut.
 * `withinMs`: how long the node must wait for that.
 */
export function withConfirmation(call: Call, withinMs: number = defaultConfirmMs): Call {
  return async (method, params, options) => {
    const asked = method === 'apply' ? { confirmWithinMs: withinMs, ...params } : params;
    const answer = await call(method, asked, options);
    if (typeof answer === 'object' && 'confirm' in answer && answer.confirm !== undefined) {
      await call('confirm', { token: answer.confirm.token }, options);
    }
    return answer;
  };
}

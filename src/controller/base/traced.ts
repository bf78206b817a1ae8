import { messageOf } from '../../model/errors.ts';
import { excerpt } from '../../slicefile/words.ts';
import type { AgentConnection } from '../../transport/agent-connection.ts';

/** Returns the connection with a report of each request when it is sent, and of the time that its answer took. */
export function traced(connection: AgentConnection, detail: (text: string) => void): AgentConnection {
  const { node } = connection;
  const call: AgentConnection['call'] = async (method, params, options) => {
    const sentAtMs = performance.now();
    const took = () => `${(performance.now() - sentAtMs).toFixed(1)} ms`;
    detail(excerpt(`${node} <- ${method} ${JSON.stringify(params)}`));
    try {
      const result = await connection.call(method, params, options);
      detail(`${node} -> ${method} after ${took()}`);
      return result;
    } catch (error) {
      detail(excerpt(`${node} -> ${method} failed after ${took()}: ${messageOf(error)}`));
      throw error;
    }
  };
  return { ...connection, call };
}

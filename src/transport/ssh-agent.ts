/** The user's ssh agent, asked for its keys in an order that suits a server. It is never forwarded. */
import sshAgents from 'ssh2/lib/agent.js';

/**
 * The agent at the socket. It first offers the keys in `first` (as SSH sends public keys), and with `onlyThese` no
 * others.
 */
export function orderedAgent(socket: string, first: readonly Buffer[], onlyThese: boolean): InstanceType<typeof Agent> {
  return new Agent(socket, first, onlyThese);
}

class Agent extends sshAgents.OpenSSHAgent {
  readonly #first: readonly Buffer[];
  readonly #onlyThese: boolean;

  constructor(socket: string, first: readonly Buffer[], onlyThese: boolean) {
    super(socket);
    this.#first = first;
    this.#onlyThese = onlyThese;
  }

  override getIdentities(done: Parameters<InstanceType<typeof sshAgents.OpenSSHAgent>['getIdentities']>[0]): void {
    super.getIdentities((error, keys) => {
      if (error || keys === undefined) return done(error);
      const rank = (key: (typeof keys)[number]) =>
        'getPublicSSH' in key ? this.#first.findIndex((wanted) => wanted.equals(key.getPublicSSH())) : -1;
      const named = keys.filter((key) => rank(key) >= 0).toSorted((a, b) => rank(a) - rank(b));
      done(undefined, this.#onlyThese ? named : [...named, ...keys.filter((key) => rank(key) < 0)]);
    });
  }
}

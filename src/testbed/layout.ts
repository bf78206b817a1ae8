/** Paths in a testbed's directory. */
import { join } from 'node:path';

/** The files of a testbed. `marker` holds the testbed's id and shows that the directory belongs to a testbed. */
export function testbedFiles(directory: string) {
  return {
    marker: join(directory, 'id'),
    plan: join(directory, 'plan.json'),
    record: join(directory, 'testbed.json'),
    clientKey: join(directory, 'client_key'),
    knownHosts: join(directory, 'known_hosts'),
    relayPlan: join(directory, 'relay.json'),
    relayLog: join(directory, 'relay.log'),
    relaySocket: join(directory, 'relay.sock'),
    links: join(directory, 'links.json'),
    servers: join(directory, 'servers.json'),
    serversLog: join(directory, 'servers.log'),
  };
}

/** Returns the home directory of a node; the agent's files are below it. */
export function nodeDirectory(directory: string, node: string): string {
  return join(directory, 'nodes', node);
}

/** The files of one node, below its home directory. */
export function nodeFiles(home: string) {
  return {
    hostKey: join(home, 'host_key'),
    authorizedKeys: join(home, 'authorized_keys'),
    sshdConfig: join(home, 'sshd_config'),
    log: join(home, 'ssh.log'),
    runtime: join(home, 'lib', 'node'),
    policy: (slice: string) => join(home, 'policy', `${slice}.json`),
  };
}

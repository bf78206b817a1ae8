/**
 * Parts of ssh2 by their files. Its index loads everything, also what nothing here uses (HTTP agents), which takes a
 * good part of the time in which a short command starts.
 */
declare module 'ssh2/lib/client.js' {
  export { Client as default } from 'ssh2';
}

declare module 'ssh2/lib/server.js' {
  export { Server as default } from 'ssh2';
}

declare module 'ssh2/lib/protocol/keyParser.js' {
  import { utils } from 'ssh2';

  const keyParser: Pick<typeof utils, 'parseKey'>;
  export default keyParser;
}

declare module 'ssh2/lib/keygen.js' {
  import { utils } from 'ssh2';

  const keygen: Pick<typeof utils, 'generateKeyPairSync'>;
  export default keygen;
}

declare module 'ssh2/lib/agent.js' {
  import type { OpenSSHAgent } from 'ssh2';

  const agents: { readonly OpenSSHAgent: typeof OpenSSHAgent };
  export default agents;
}

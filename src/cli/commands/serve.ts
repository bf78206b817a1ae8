import type { Command } from 'commander';
import { VnmError } from '../../model/errors.ts';
import { openStore } from '../../store/store.ts';
import { globalOptions, runPlain } from '../run.ts';
import { version } from '../version.ts';

interface Options {
  readonly host: string;
  readonly port: string;
  readonly tokenFile?: string;
  readonly allowedHost: readonly string[];
}

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('the long-running service: jobs, health, repair in place, HTTP API and metrics')
    .option('--host <address>', 'where to listen; anything but loopback needs a token', '127.0.0.1')
    .option('--port <number>', 'TCP port; 0 takes any that is free', '8473')
    .option('--token-file <path>', 'requests must bring the token in this file, or in PL_VNM_TOKEN')
    .option('--allowed-host <name...>', 'further names that requests may ask for, as behind a proxy', [])
    .action((options: Options, command: Command) =>
      runPlain(command, async (signal) => {
        // Only here, so that no other command waits for the web server to be loaded.
        const [{ readToken }, { openLog }, { serve }] = await Promise.all([
          import('../../service/http/token.ts'),
          import('../../service/log.ts'),
          import('../../service/serve.ts'),
        ]);
        const { db, acceptNewHostKeys } = globalOptions(command);
        const { host, tokenFile, allowedHost } = options;
        const settings = {
          host,
          port: parsePort(options.port),
          allowedHosts: allowedHost,
          token: readToken(tokenFile),
        };
        const store = openStore(db);
        try {
          await serve(store, { ...settings, acceptNewHostKeys, version }, openLog(), signal);
        } finally {
          store.close();
        }
        return { text: 'the service has ended', json: { ended: true } };
      }),
    );
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new VnmError('usage', `'${text}' is not a TCP port`, { hint: 'a number from 0 to 65535' });
}

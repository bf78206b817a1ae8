import type { Command } from 'commander';
import { packageVersion } from '../../model/package.ts';
import { portOption } from '../options.ts';
import { globalOptions, openStoreOf, runCommand, runPlain } from '../run.ts';

interface Options {
  readonly host: string;
  readonly port: number;
  readonly tokenFile?: string;
  readonly allowedHost: readonly string[];
}

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('run the service: jobs, health, repair, HTTP API and metrics')
    .option('--host <address>', 'the address to listen on; any address but loopback needs a token', '127.0.0.1')
    .addOption(portOption('--port <number>', 'the TCP port; 0 for any free port', 8473))
    .option(
      '--token-file <path>',
      'require the token in this file, or in PL_VNM_TOKEN, for every request; without one, only requests that change something need a token, which pl-vnm token prints',
    )
    .option('--allowed-host <name...>', 'further host names that requests may use, as behind a proxy', [])
    .action((options: Options, command: Command) =>
      runPlain(command, async (signal) => {
        // Imported here so that other commands do not load the web server.
        const [{ readToken }, { openLog }, { serve }] = await Promise.all([
          import('../../service/http/token.ts'),
          import('../../service/log.ts'),
          import('../../service/serve.ts'),
        ]);
        const { acceptNewHostKeys, verbose, quiet } = globalOptions(command);
        const level = verbose ? 'debug' : quiet ? 'warn' : 'info';
        const { host, port, tokenFile, allowedHost } = options;
        const settings = {
          host,
          port,
          allowedHosts: allowedHost,
          token: readToken(tokenFile),
        };
        const store = openStoreOf(command);
        try {
          await serve(store, { ...settings, acceptNewHostKeys, version: packageVersion() }, openLog({ level }), signal);
        } finally {
          store.close();
        }
        return { text: 'the service has ended', json: { ended: true } };
      }),
    );
}

export function addToken(program: Command): void {
  program
    .command('token')
    .description('print the token that requests need to change something through the service on this machine')
    .action((_options: unknown, command: Command) =>
      runCommand(command, async ({ store }) => {
        const { findToken } = await import('../../service/http/token-file.ts');
        const found = findToken(store.path);
        return { text: found.token, json: found };
      }),
    );
}

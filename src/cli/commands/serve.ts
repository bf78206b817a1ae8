import type { Command } from 'commander';
import { packageVersion } from '../../model/package.ts';
import { openStore } from '../../store/store.ts';
import { portOption } from '../options.ts';
import { globalOptions, runCommand, runPlain } from '../run.ts';

interface Options {
  readonly host: string;
  readonly port: number;
  readonly tokenFile?: string;
  readonly allowedHost: readonly string[];
}

export function addServe(program: Command): void {
  program
    .command('serve')
    .description('the long-running service: jobs, health, repair in place, HTTP API and metrics')
    .option('--host <address>', 'where to listen; anything but loopback needs a token', '127.0.0.1')
    .addOption(portOption('--port <number>', 'TCP port; 0 takes any that is free', 8473))
    .option(
      '--token-file <path>',
      'every request must bring the token in this file, or in PL_VNM_TOKEN; without one, only what changes something needs a token, which pl-vnm token prints',
    )
    .option('--allowed-host <name...>', 'further names that requests may ask for, as behind a proxy', [])
    .action((options: Options, command: Command) =>
      runPlain(command, async (signal) => {
        // Only here, so that no other command waits for the web server to be loaded.
        const [{ readToken }, { openLog }, { serve }] = await Promise.all([
          import('../../service/http/token.ts'),
          import('../../service/log.ts'),
          import('../../service/serve.ts'),
        ]);
        const { db, acceptNewHostKeys, verbose, quiet } = globalOptions(command);
        const level = verbose ? 'debug' : quiet ? 'warn' : 'info';
        const { host, port, tokenFile, allowedHost } = options;
        const settings = {
          host,
          port,
          allowedHosts: allowedHost,
          token: readToken(tokenFile),
        };
        const store = openStore(db);
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
    .description('the token that requests to the service on this machine must bring to change something')
    .action((_options: unknown, command: Command) =>
      runCommand(command, async ({ store }) => {
        const { findToken } = await import('../../service/http/token-file.ts');
        const found = findToken(store.path);
        return { text: found.token, json: found };
      }),
    );
}

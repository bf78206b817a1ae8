/** A registry of npm packages on this machine, with those that are installed in the checkout: it needs no network. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { productionPackages } from '../../packaging/production.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));

export interface Registry {
  readonly url: string;
  close(): Promise<void>;
}

export async function startRegistry(): Promise<Registry> {
  const packages = Map.groupBy(productionPackages(checkout), ({ name }) => name);
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '').slice(1);
    // `files/FOLDER.tgz`
    const folder = /^files\/(node_modules\/.+)\.tgz$/.exec(path)?.[1];
    if (folder !== undefined) {
      const tar = spawn('tar', [
        ...['--create', '--gzip', `--directory=${join(checkout, folder)}`, '--exclude=./node_modules'],
        ...['--transform=s,^\\.,package,', '.'],
      ]);
      tar.stdout.pipe(response);
      return;
    }
    const found = packages.get(path);
    if (found === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not found"}');
      return;
    }
    const versions = found.map(({ folder, version }) => {
      const manifest = JSON.parse(readFileSync(join(checkout, folder, 'package.json'), 'utf8'));
      const tarball = `http://${request.headers.host}/files/${folder}.tgz`;
      return [version, { ...manifest, dist: { tarball } }] as const;
    });
    const latest = found.find(({ folder }) => folder === `node_modules/${path}`) ?? found[0]!;
    const answer = { name: path, 'dist-tags': { latest: latest.version }, versions: Object.fromEntries(versions) };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

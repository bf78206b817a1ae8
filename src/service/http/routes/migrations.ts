import * as z from 'zod';
import { migrationDetailView, migrationView } from '../../../controller/views/migration.ts';
import { VnmError } from '../../../model/errors.ts';
import { type Api, type RouteParts, sliceNamed } from '../parts.ts';
import { errors, id, limit, sliceParams } from '../schemas/common.ts';
import { migrationDetail, migrationRecord } from '../schemas/migration.ts';

const tags = ['migrations'];

/** Past migrations, and those under way. */
export function addMigrationRoutes(app: Api, parts: RouteParts): void {
  const { store } = parts;
  app.get(
    '/api/slices/:slice/migrations',
    {
      schema: {
        operationId: 'listMigrations',
        summary: 'List the migrations of a slice, newest first',
        tags,
        params: sliceParams,
        querystring: z.strictObject({ limit: limit(500, 20) }),
        response: { 200: z.object({ migrations: z.array(migrationRecord) }), ...errors },
      },
    },
    async ({ params, query }) => ({
      migrations: store.migrations.list(sliceNamed(parts, params.slice).name, query.limit).map(migrationView),
    }),
  );

  app.get(
    '/api/migrations/:id',
    {
      schema: {
        operationId: 'showMigration',
        summary: 'Show one migration with its phases, redirections and packet loss',
        tags,
        params: z.strictObject({ id }),
        response: { 200: migrationDetail, ...errors },
      },
    },
    async ({ params }) => {
      const detail = migrationDetailView(parts, params.id);
      if (detail === undefined) throw new VnmError('not-found', `there is no migration ${params.id}`);
      return detail;
    },
  );
}

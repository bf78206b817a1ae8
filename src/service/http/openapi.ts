import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { createJsonSchemaTransform } from 'fastify-type-provider-zod';
import type { TokenFor } from './guard.ts';
import { parseHostAndPort } from './host.ts';

/** Returns the options for the OpenAPI document, which is made from the same schemas that validate requests. */
export function openApi(version: string, tokenFor: TokenFor): FastifyDynamicSwaggerOptions {
  const info = { title: 'PL-VNM', description: 'Moves running virtual networks between hosts', version };
  const bearer = { type: 'http', scheme: 'bearer', description: descriptions[tokenFor] } as const;
  return {
    openapi: {
      openapi: '3.1.0',
      info,
      components: { securitySchemes: { token: bearer } },
      security: tokenFor === 'everything' ? needed : [],
    },
    transform: createJsonSchemaTransform({ zodToJsonConfig }),
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject;
      const { paths } = document.openapiObject;
      for (const path of Object.values((paths ?? {}) as Record<string, Partial<Record<string, Operation>>>)) {
        allowNoBody(path.post);
        for (const operation of [path.post, path.delete]) if (operation !== undefined) operation.security = needed;
      }
      return document.openapiObject;
    },
  };
}

/** Returns the URL of the service as the client named it in its request; the guard has checked that name. */
export function serversFor({ host }: { host?: string | undefined }, allowedHosts: readonly string[]) {
  // Only the clients of a proxy know its URL: it may speak TLS.
  const isProxied = allowedHosts.some(
    (allowed) => parseHostAndPort(allowed)?.host === parseHostAndPort(host ?? '')?.host,
  );
  return [{ url: isProxied ? '/' : `http://${host}`, description: 'This service' }];
}

const needed = [{ token: [] }];
const descriptions: Record<TokenFor, string> = {
  everything: 'The token that the service was started with. Every request needs it, except GET /healthz.',
  changes:
    'The token that `pl-vnm token` prints on the machine of the service. Requests that change something need it.',
};

type JsonConfig = NonNullable<NonNullable<Parameters<typeof createJsonSchemaTransform>[0]>['zodToJsonConfig']>;

const zodToJsonConfig: JsonConfig = {
  override: ({ zodSchema, jsonSchema }) => {
    const { def } = zodSchema._zod;
    // A later version may add keys to answers. Strict schemas keep `additionalProperties: false`.
    if (def.type === 'object' && def.catchall === undefined) delete jsonSchema.additionalProperties;
    // An undefined answer has no body.
    if (def.type === 'undefined') jsonSchema.type = 'null';
  },
};

interface Operation {
  security?: typeof needed;
  requestBody?: { required?: boolean; content?: Record<string, { schema?: { required?: string[] } }> };
}

/** Makes the body optional if no key is required. */
function allowNoBody(operation: Operation | undefined): void {
  const schema = operation?.requestBody?.content?.['application/json']?.schema;
  if (schema !== undefined && schema.required === undefined) operation!.requestBody!.required = false;
}

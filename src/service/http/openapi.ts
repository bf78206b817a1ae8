import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { createJsonSchemaTransform } from 'fastify-type-provider-zod';
import type { TokenFor } from './guard.ts';
import { parseHostAndPort } from './host.ts';

/** How the routes become an OpenAPI document: from the same schemas that check requests. */
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

/** Where the service is, as the client that asks for the document names it: the guard has let no other name pass. */
export function serversFor({ host }: { host?: string | undefined }, allowedHosts: readonly string[]) {
  // Behind a proxy, which may speak TLS, only the proxy's clients know how they reach it.
  const isProxied = allowedHosts.some(
    (allowed) => parseHostAndPort(allowed)?.host === parseHostAndPort(host ?? '')?.host,
  );
  return [{ url: isProxied ? '/' : `http://${host}`, description: 'This service' }];
}

const needed = [{ token: [] }];
const descriptions: Record<TokenFor, string> = {
  everything: 'The token that the service was started with, for everything but GET /healthz',
  changes: "What 'pl-vnm token' prints on the machine of the service, for whatever changes something",
};

type JsonConfig = NonNullable<NonNullable<Parameters<typeof createJsonSchemaTransform>[0]>['zodToJsonConfig']>;

const zodToJsonConfig: JsonConfig = {
  override: ({ zodSchema, jsonSchema }) => {
    const { def } = zodSchema._zod;
    // Answers may get further keys with a later version; what is strict says so itself.
    if (def.type === 'object' && def.catchall === undefined) delete jsonSchema.additionalProperties;
    // No body.
    if (def.type === 'undefined') jsonSchema.type = 'null';
  },
};

interface Operation {
  security?: typeof needed;
  requestBody?: { required?: boolean; content?: Record<string, { schema?: { required?: string[] } }> };
}

/** Where every key has a default, there need be no body. */
function allowNoBody(operation: Operation | undefined): void {
  const schema = operation?.requestBody?.content?.['application/json']?.schema;
  if (schema !== undefined && schema.required === undefined) operation!.requestBody!.required = false;
}

import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import { createJsonSchemaTransform } from 'fastify-type-provider-zod';

/** How the routes become an OpenAPI document: from the same schemas that check requests. */
export function openApi(version: string, hasToken: boolean): FastifyDynamicSwaggerOptions {
  const info = { title: 'PL-VNM', description: 'Moves running virtual networks between hosts', version };
  const bearer = { components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } as const } } };
  return {
    openapi: { openapi: '3.1.0', info, ...(hasToken ? { ...bearer, security: [{ token: [] }] } : {}) },
    transform: createJsonSchemaTransform({ zodToJsonConfig }),
    transformObject: (document) => {
      if (!('openapiObject' in document)) return document.swaggerObject;
      const { paths } = document.openapiObject;
      for (const { post } of Object.values((paths ?? {}) as Record<string, { post?: Operation }>)) allowNoBody(post);
      return document.openapiObject;
    },
  };
}

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
  requestBody?: { required?: boolean; content?: Record<string, { schema?: { required?: string[] } }> };
}

/** Where every key has a default, there need be no body. */
function allowNoBody(operation: Operation | undefined): void {
  const schema = operation?.requestBody?.content?.['application/json']?.schema;
  if (schema !== undefined && schema.required === undefined) operation!.requestBody!.required = false;
}

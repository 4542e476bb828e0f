/**
 * Builds the OpenAPI document of a function from the schemas that its routes check requests with. This runs
 * only when the document is generated; it is not part of any function.
 *
 * @module
 */

import * as z from "zod/mini";
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiResponseObject,
} from "zod-openapi";

import type { Permission } from "../_shared/api_keys.ts";
import { IDEMPOTENCY_KEY } from "../_shared/request.ts";
import { id, time } from "../_shared/schema.ts";

/** The description of a route. */
export interface RouteDescription {
  method: "get" | "post" | "put" | "patch" | "delete";
  /** Path below the function's name: `/deduct`, or empty. */
  path: string;
  summary: string;
  description: string;
  /** Who may call it; empty if the route authenticates its callers itself. */
  auth: ("user" | "secret")[];
  /** What an API key of a user needs; without it, the route accepts no API keys. */
  permission?: Permission;
  /** Whether it accepts an `Idempotency-Key`. */
  idempotent?: boolean;
  /** Whether it adds rows to a table with a limit. */
  stores?: boolean;
  /** Whether it calls Storage, and so may return Storage's errors. */
  storage?: boolean;
  /** Parameters in the path: `{id}`. */
  params?: z.ZodMiniObject;
  query?: z.ZodMiniObject;
  body?: z.ZodMiniType;
  /**
   * The status or statuses of success and the shape of the body, if it can be JSON; other content types; what a response
   * without a body means, which has the status 204.
   */
  response: {
    status: number | number[];
    description: string;
    schema?: z.ZodMiniType;
    alsoAs?: Record<string, z.ZodMiniType>;
    empty?: string;
  };
  /** The codes that only this route returns, by status. */
  problems: Record<number, string[]>;
}

/** The description of a function. */
export interface FunctionDescription {
  name: string;
  summary: string;
  routes: RouteDescription[];
}

/** Problems of every route that needs a credential. */
const CREDENTIAL_PROBLEMS: Record<number, string[]> = {
  401: ["credentials_missing", "invalid_api_key", "token_expired", "invalid_token"],
  403: ["permission_missing"],
};

/** Problems of every route for users. */
const USER_PROBLEMS: Record<number, string[]> = { 503: ["signing_keys_missing"] };

/** Problems of every route. */
const COMMON_PROBLEMS: Record<number, string[]> = {
  500: ["internal_error"],
  503: ["try_again"],
  504: ["database_timeout"],
};

/** Problems of every route for users that changes something. */
const LIMIT_PROBLEMS: Record<number, string[]> = { 429: ["too_many_requests"] };

/** Problems of every route that adds rows to a table with a limit. */
const TABLE_PROBLEMS: Record<number, string[]> = {
  413: ["too_many_bytes"],
  429: ["too_many_rows"],
};

/** Problems of every route that reads a body. */
const BODY_PROBLEMS: Record<number, string[]> = {
  400: ["invalid_json", "body_incomplete"],
  413: ["body_too_large"],
  422: ["invalid_request", "invalid_value"],
};

/** Problems of every route that reads a body and does not authenticate its callers itself, by a signature of the body. */
const JSON_PROBLEMS: Record<number, string[]> = { 422: ["nested_too_deep"] };

/** Problems of every route that calls Storage. */
const STORAGE_PROBLEMS: Record<number, string[]> = {
  403: ["storage_forbidden"],
  404: ["object_not_found"],
  409: ["object_exists"],
  413: ["file_too_large"],
  422: ["content_type_not_allowed", "storage_refused"],
  503: ["storage_unavailable"],
};

// Shared components keep the document small: each function loads its own.
z.globalRegistry.add(id, { id: "Id" });
z.globalRegistry.add(time, { id: "Time" });

const SECURITY = { user: { userToken: [] }, secret: { secretKey: [] } };

const IdempotencyKey = z.object({
  "Idempotency-Key": z.optional(z.string().check(z.regex(IDEMPOTENCY_KEY))),
});

/** Builds the OpenAPI 3.1 document of a function. */
export function describeFunction(description: FunctionDescription): unknown {
  const paths: Record<string, Record<string, ZodOpenApiOperationObject>> = {};
  for (const route of description.routes) {
    const path = `/${description.name}${route.path}`;
    paths[path] = { ...paths[path], [route.method]: operation(description.name, route) };
  }
  return createDocument({
    openapi: "3.1.0",
    info: { title: description.name, version: "1", description: description.summary },
    servers: [{
      url: "{supabase_url}/functions/v1",
      variables: { supabase_url: { default: "http://127.0.0.1:54321" } },
    }],
    paths,
    components: {
      schemas: { ProblemDocument },
      securitySchemes: {
        userToken: {
          type: "http",
          scheme: "bearer",
          bearerFormat: "JWT",
          description: "Session token of a signed-in user, as supabase-js sends it",
        },
        apiKey: {
          type: "http",
          scheme: "bearer",
          description: "API key of a user (srk_...), with the permission that the route names",
        },
        secretKey: {
          type: "apiKey",
          in: "header",
          name: "apikey",
          description: "Secret key of the project (sb_secret_...), for servers only",
        },
      },
    },
  });
}

function operation(name: string, route: RouteDescription): ZodOpenApiOperationObject {
  const alsoAs = Object.entries(route.response.alsoAs ?? {}).map(([type, schema]) =>
    [type, { schema }] as const
  );
  const problems = merge(
    route.auth.length > 0 ? CREDENTIAL_PROBLEMS : {},
    COMMON_PROBLEMS,
    route.auth.includes("user") && route.method !== "get" ? LIMIT_PROBLEMS : {},
    route.auth.includes("user") ? USER_PROBLEMS : {},
    route.body ? BODY_PROBLEMS : {},
    route.body && route.auth.length > 0 ? JSON_PROBLEMS : {},
    route.idempotent ? { 400: ["invalid_idempotency_key"], 422: ["idempotency_key_reused"] } : {},
    route.stores ? TABLE_PROBLEMS : {},
    route.storage ? STORAGE_PROBLEMS : {},
    route.problems,
  );
  const success = {
    description: route.response.description,
    content: {
      ...(route.response.schema && { "application/json": { schema: route.response.schema } }),
      ...Object.fromEntries(alsoAs),
    },
  };
  return {
    operationId: `${name}${route.path.replace(/\W+/g, "_")}_${route.method}`,
    summary: route.summary,
    description: route.permission
      ? `${route.description} An API key needs the permission \`${route.permission}\`.`
      : route.description,
    security: [
      ...route.auth.map((mode) => SECURITY[mode]),
      ...(route.permission ? [{ apiKey: [] }] : []),
    ],
    requestParams: {
      ...(route.params && { path: route.params }),
      ...(route.query && { query: route.query }),
      ...(route.idempotent && { header: IdempotencyKey }),
    },
    ...(route.body && {
      requestBody: {
        description: "An optional member that is null is the same as one that is left out",
        required: true,
        content: { "application/json": { schema: route.body } },
      },
    }),
    responses: {
      ...Object.fromEntries([route.response.status].flat().map((status) => [status, success])),
      ...(route.response.empty && { 204: { description: route.response.empty } }),
      ...Object.fromEntries(
        Object.entries(problems).filter(([, codes]) => codes.length > 0).map((
          [status, codes],
        ) => [status, problemResponse(codes)]),
      ),
    },
  };
}

function merge(...all: Record<number, string[]>[]): Record<number, string[]> {
  const merged: Record<number, string[]> = {};
  for (const problems of all) {
    for (const [status, codes] of Object.entries(problems)) {
      merged[Number(status)] = [...new Set([...merged[Number(status)] ?? [], ...codes])];
    }
  }
  return merged;
}

// One schema for all problems keeps the document small. Each response adds only its codes.
const ProblemDocument = z.looseObject({
  type: z.literal("about:blank"),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  request_id: z.string(),
  hint: z.optional(z.string()),
});

/** Responses by their codes, so that routes with the same codes share one component. */
const problemResponses = new Map<string, ZodOpenApiResponseObject>();

function problemResponse(codes: string[]): ZodOpenApiResponseObject {
  const id = codes.join("_or_");
  const known = problemResponses.get(id);
  if (known) return known;
  const response = {
    id,
    description: "A problem with one of these codes",
    content: {
      "application/problem+json": {
        schema: {
          $ref: "#/components/schemas/ProblemDocument",
          properties: { code: { enum: codes } },
        },
      },
    },
  };
  problemResponses.set(id, response);
  return response;
}

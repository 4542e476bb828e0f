/**
 * The app that every edge function starts from: request id, logs, CORS, body limit, problem documents
 * and the function's OpenAPI document.
 *
 * @module
 */

import { type Context, Hono, type Next } from "hono";
import { cors } from "hono/cors";
import { methodNotAllowed } from "hono/method-not-allowed";
import { requestId } from "hono/request-id";
import * as z from "zod/mini";
import en from "zod/locales/en";

import type { AuthenticatedEnv } from "./auth.ts";
import { limitBody } from "./body_limit.ts";
import { projectEnvironment } from "./env.ts";
import { acceptContent, REPLACED_CHARACTERS } from "./json.ts";
import { logRequests } from "./log.ts";
import { Problem, renderProblem } from "./problem.ts";

/** Options of one app. */
export interface AppOptions {
  /** Largest body in bytes, of all routes or by the path of the request. Default: 1 MiB. */
  maxBodyBytes?: number | ((path: string) => number);
  /** Whether requests contain text from elsewhere: characters in it that the database cannot hold are replaced. */
  acceptsContent?: boolean;
}

const DEFAULT_MAX_BODY_BYTES = 1024 * 1024;

/** One day. Browsers have shorter limits of their own and use those. */
const PREFLIGHT_MAX_AGE_S = 86_400;

/** Any origin is safe: callers are identified by a token, which browsers never send on their own. */
const ALLOWED_ORIGIN = "*";

const EXPOSED_HEADERS = [
  "allow",
  "content-disposition",
  "etag",
  "idempotent-replayed",
  "location",
  "ratelimit",
  "ratelimit-policy",
  REPLACED_CHARACTERS,
  "retry-after",
  "x-request-id",
];

const answerCors = cors({
  origin: ALLOWED_ORIGIN,
  exposeHeaders: EXPOSED_HEADERS,
  maxAge: PREFLIGHT_MAX_AGE_S,
});

/**
 * Creates the app of one Edge Function. Its routes are relative to the function's name.
 *
 * @param name Name of the Edge Function: the first segment of its paths.
 * @param openapi Loads the function's OpenAPI document for `GET /NAME/openapi.json`, on request rather than at every
 *   cold start.
 * @param options Options of this app.
 * @throws {Error} that names the missing environment variable.
 */
export function createApp(
  name: string,
  openapi: () => Promise<{ default: Record<string, unknown> }>,
  options: AppOptions = {},
): Hono<AuthenticatedEnv> {
  projectEnvironment();
  z.config(en());

  // Not strict: a slash at the end of a path changes nothing.
  const app = new Hono<AuthenticatedEnv>({ strict: false }).basePath(`/${name}`);
  app.onError(renderProblem);
  app.notFound((c) =>
    renderProblem(
      new Problem(404, "route_not_found", `The function "${name}" has no route at this path`),
      c,
    )
  );
  app.use(requestId());
  app.use(logRequests(name));
  app.use(answerPreflight);
  app.use(setHeaders);
  app.use(methodNotAllowed({ app, onMethodNotAllowed: refuseMethod }));
  app.use(limitBody(options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES));
  if (options.acceptsContent) app.use(acceptContent);
  app.get("/openapi.json", async (c) => c.json((await openapi()).default));
  return app;
}

function answerPreflight(c: Context, next: Next): Promise<Response | void> {
  return c.req.method === "OPTIONS" ? answerCors(c, next) : next();
}

/** Sets them before there is a response, because Hono copies a response to change it. */
function setHeaders(c: Context, next: Next): Promise<void> {
  c.header("access-control-allow-origin", ALLOWED_ORIGIN);
  c.header("access-control-expose-headers", EXPOSED_HEADERS.join(","));
  c.header("cache-control", "no-store");
  return next();
}

function refuseMethod(c: Context, methods: string[]): Response {
  const allow = methods.join(", ");
  const problem = new Problem(405, "method_not_allowed", `This route accepts only ${allow}`, {
    headers: { allow },
  });
  return renderProblem(problem, c);
}

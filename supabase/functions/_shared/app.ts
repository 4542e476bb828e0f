/**
 * The app that every edge function starts from: request id, logs, CORS, body limit, problem documents
 * and the function's OpenAPI document.
 *
 * @module
 */

import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { methodNotAllowed } from "hono/method-not-allowed";
import { requestId } from "hono/request-id";
import * as z from "zod/mini";
import en from "zod/locales/en";

import type { AuthenticatedEnv } from "./auth.ts";
import { limitBody } from "./body_limit.ts";
import { requireEnvironment } from "./env.ts";
import { logRequests } from "./log.ts";
import { Problem, renderProblem } from "./problem.ts";

/** How an app differs from the others. */
export interface AppOptions {
  /** Bytes that a body may have; default 1 MiB. */
  maxBodyBytes?: number;
}

const DEFAULT_MAX_BODY_BYTES = 1024 * 1024;

/** A day: browsers ask again after their own, shorter, limit. */
const PREFLIGHT_MAX_AGE_S = 86_400;

/**
 * Makes the app of one edge function. Its routes are relative to the function's name.
 *
 * @param name Name of the edge function: the first segment of its paths.
 * @param openapi Loads the function's OpenAPI document, answered at `GET /NAME/openapi.json`: when it is asked for,
 *   not at every cold start.
 * @param options Limits of its own.
 * @throws {Error} naming the variable when the environment lacks one.
 */
export function createApp(
  name: string,
  openapi: () => Promise<{ default: Record<string, unknown> }>,
  options: AppOptions = {},
): Hono<AuthenticatedEnv> {
  requireEnvironment();
  z.config(en());

  const app = new Hono<AuthenticatedEnv>().basePath(`/${name}`);
  app.onError(renderProblem);
  app.notFound((c) =>
    renderProblem(
      new Problem(404, "route_not_found", `The function "${name}" has no such route`),
      c,
    )
  );
  app.use(requestId());
  app.use(logRequests(name));
  // Any origin: a caller is known by its token, which no browser sends by itself.
  app.use(cors({
    origin: "*",
    exposeHeaders: ["x-request-id", "idempotent-replayed", "retry-after"],
    maxAge: PREFLIGHT_MAX_AGE_S,
  }));
  app.use(methodNotAllowed({ app, onMethodNotAllowed: refuseMethod }));
  app.use(limitBody(options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES));
  app.use(async function forbidCaching(c, next) {
    await next();
    c.header("cache-control", "no-store");
  });
  app.get("/openapi.json", async (c) => c.json((await openapi()).default));
  return app;
}

function refuseMethod(c: Context, methods: string[]): Response {
  const allow = methods.join(", ");
  const problem = new Problem(405, "method_not_allowed", `This route takes ${allow}`, {
    headers: { allow },
  });
  return renderProblem(problem, c);
}

/**
 * Logs each request as one line of JSON: route, result and duration. Never logs a token, a header, a query or a
 * body.
 *
 * @module
 */

import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";

import { Problem } from "./problem.ts";

/**
 * Middleware that logs each request after its response. Internal errors are logged in full.
 *
 * @param functionName Name of the Edge Function.
 */
export function logRequests(functionName: string): MiddlewareHandler {
  return async function logRequest(c, next) {
    const start = performance.now();
    await next();
    const { error } = c;
    logLine(c.res.status >= 500 ? "error" : "info", {
      function: functionName,
      request_id: c.get("requestId"),
      method: c.req.method,
      route: routePath(c, -1),
      status: c.res.status,
      duration_ms: Math.round((performance.now() - start) * 10) / 10,
      ...(error instanceof Problem && { code: error.code }),
      ...(c.res.status >= 500 && error && { error: describe(error) }),
    });
  };
}

/**
 * Logs one line of JSON.
 *
 * @param level Severity.
 * @param members What to log. Never a token or something that a user wrote.
 */
export function logLine(level: "info" | "error", members: Record<string, unknown>): void {
  console.log(JSON.stringify({ level, time: new Date().toISOString(), ...members }));
}

function describe(error: Error): Record<string, unknown> {
  const { name, message, stack, cause } = error;
  return { name, message, stack, ...(cause !== undefined && { cause: describeCause(cause) }) };
}

function describeCause(cause: unknown): unknown {
  return cause instanceof Error ? describe(cause) : cause;
}

/**
 * One line of JSON per request: what was asked, what came of it and how long it took. Never a token,
 * a header, a query or a body.
 *
 * @module
 */

import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";

import { Problem } from "./problem.ts";

/**
 * Middleware that logs each request when it has been answered; a fault of ours with the whole error.
 *
 * @param functionName Name of the edge function.
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
 * Logs something: one line of JSON.
 *
 * @param level How bad it is.
 * @param members What it is. Never a token or what a user wrote.
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

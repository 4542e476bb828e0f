/**
 * Responds with the result of a call.
 *
 * @module
 */

import type { Context } from "hono";

/**
 * Responds with the result of a change. A header says when the result is that of an earlier request.
 *
 * @param c The request's context.
 * @param result What the call returned.
 * @param status Status of the response.
 */
export function answer(
  c: Context,
  result: { replayed: boolean | null },
  status: 200 | 201 | 202 = 200,
): Response {
  const { replayed, ...body } = result;
  if (replayed) c.header("idempotent-replayed", "true");
  return c.json(body, status);
}

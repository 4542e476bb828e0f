/**
 * Answers with what a call returned.
 *
 * @module
 */

import type { Context } from "hono";

/**
 * The response to a call that changed something; a header says when it is the work of an earlier request.
 *
 * @param c The request's context.
 * @param result What the call returned.
 * @param status Status of success.
 */
export function answer(
  c: Context,
  result: { replayed: boolean | null },
  status: 200 | 201 = 200,
): Response {
  const { replayed, ...body } = result;
  if (replayed) c.header("idempotent-replayed", "true");
  return c.json(body, status);
}

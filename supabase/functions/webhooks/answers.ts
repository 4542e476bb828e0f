/**
 * Responses to the senders of webhooks.
 *
 * @module
 */

import type { Context } from "hono";

import { Problem } from "../_shared/problem.ts";
import type { Receipt } from "./inbox.ts";

/** Value of Retry-After in seconds, for senders that read it. */
const RETRY_AFTER_S = 5;

/**
 * Responds with the result of a delivery.
 *
 * @throws {Problem} 503 `webhook_effect_failed`, so that the sender sends it again.
 */
export function answerReceipt(c: Context, receipt: Receipt): Response {
  const { id, outcome, replayed } = receipt;
  if (outcome === "failed") throw effectFailed(receipt);
  return c.json({ id, outcome, replayed });
}

/**
 * Responds to a hook of Auth with the result of its effect. Auth only reads responses with status 200, even if the
 * answer is that the user may not sign up.
 *
 * @throws {Problem} 503 `webhook_effect_failed`: Auth then refuses the sign-up.
 */
export function answerAuthHook(c: Context, receipt: Receipt): Response {
  if (receipt.outcome !== "processed") throw effectFailed(receipt);
  return c.json(receipt.result);
}

/** The response does not say why the effect failed: that is for the operator, not the sender. */
function effectFailed({ id, attempts, error }: Receipt): Problem {
  return new Problem(503, "webhook_effect_failed", "The event was stored, but its effect failed", {
    hint: "Send the event again. The column error of webhook_events says what failed",
    fields: { id, attempts },
    headers: { "retry-after": String(RETRY_AFTER_S) },
    cause: error,
  });
}

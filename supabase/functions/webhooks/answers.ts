/**
 * What a sender is answered.
 *
 * @module
 */

import type { Context } from "hono";

import { Problem } from "../_shared/problem.ts";
import type { Receipt } from "./inbox.ts";

/** Seconds after which a sender that reads Retry-After tries again. */
const RETRY_AFTER_S = 5;

/**
 * What came of the delivery.
 *
 * @throws {Problem} 503 `webhook_effect_failed`, so that the sender repeats it.
 */
export function answerReceipt(c: Context, receipt: Receipt): Response {
  const { id, outcome, replayed } = receipt;
  if (outcome === "failed") throw effectFailed(receipt);
  return c.json({ id, outcome, replayed });
}

/**
 * The answer of a hook of Auth, which is the result of its effect. Auth reads an answer only if its status is 200, also
 * that somebody may not sign up.
 *
 * @throws {Problem} 503 `webhook_effect_failed`: Auth then lets nobody in.
 */
export function answerAuthHook(c: Context, receipt: Receipt): Response {
  if (receipt.outcome !== "processed") throw effectFailed(receipt);
  return c.json(receipt.result);
}

/** Why the effect failed is for the operator to read, not for the sender. */
function effectFailed({ id, attempts, error }: Receipt): Problem {
  return new Problem(503, "webhook_effect_failed", "The event is stored, but its effect failed", {
    hint: "Send it again; webhook_events has the error",
    fields: { id, attempts },
    headers: { "retry-after": String(RETRY_AFTER_S) },
    cause: error,
  });
}

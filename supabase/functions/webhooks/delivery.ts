/**
 * Deliveries whose sender is verified, and the problems of those that are refused.
 *
 * @module
 */

import type { Context } from "hono";

import type { Json } from "../_shared/database.types.ts";
import { isNestedTooDeep, MAX_DEPTH, parseJson, replaceCharacters } from "../_shared/json.ts";
import { Problem } from "../_shared/problem.ts";

/** An event from a verified sender. */
export interface Delivery {
  /** The sender's name in `webhook_events`: `stripe`, `auth`, `standard:SOURCE`. */
  provider: string;
  /** The sender's id of the event. */
  event_id: string;
  type: string;
  /** When it happened, if the sender says so. */
  event_created?: string;
  /** The event as it was received. */
  payload: Json;
}

/** Seconds that a signature may be in the past or future, as Stripe and Standard Webhooks recommend. */
export const TOLERANCE_S = 300;

/**
 * Parses an event. Characters in it that the database cannot hold are replaced: the sender would only send them again.
 *
 * @param c The request's context.
 * @param text The body.
 * @throws {Problem} 400 `invalid_json`; 422 `invalid_webhook_event` if it is nested more than 128 levels deep.
 */
export function parseEvent(c: Context, text: string): unknown {
  const value = parseJson(text);
  if (isNestedTooDeep(value)) {
    throw invalidEvent(`An event must not be nested more than ${MAX_DEPTH} levels deep`);
  }
  return replaceCharacters(c, text, value);
}

/** 401: the request has no signature. */
export function signatureMissing(header: string): Problem {
  return refused("signature_missing", `The header ${header} is missing or malformed`);
}

/** 401: signed with an unknown secret, or for another body. */
export function signatureInvalid(): Problem {
  return refused(
    "signature_invalid",
    "The signature was not made for this body with a secret of this sender",
  );
}

/** 401: signed too long ago. An old delivery could be recorded and sent again by somebody else. */
export function signatureExpired(): Problem {
  return refused(
    "signature_expired",
    `The signature must have been made in the last ${TOLERANCE_S / 60} minutes`,
  );
}

/** 422: JSON, but not an event. */
export function invalidEvent(detail: string): Problem {
  return new Problem(422, "invalid_webhook_event", detail);
}

function refused(code: string, detail: string): Problem {
  return new Problem(401, code, detail, { headers: { "www-authenticate": "Signature" } });
}

/**
 * What a delivery is once its sender is known, and what is refused as none.
 *
 * @module
 */

import type { Json } from "../_shared/database.types.ts";
import { Problem } from "../_shared/problem.ts";
import { parseJson } from "../_shared/request.ts";

/** An event that a sender is known to have sent. */
export interface Delivery {
  /** Where it is kept: `stripe`, `auth`, `standard:SOURCE`. */
  provider: string;
  /** The sender's id of the event. */
  event_id: string;
  type: string;
  /** When it happened, if the sender says so. */
  event_created?: string;
  /** The event as it came. */
  payload: Json;
}

/** Seconds by which a signature may be older, or newer, than now: what Stripe and Standard Webhooks advise. */
export const TOLERANCE_S = 300;

/** Objects and arrays within each other: many times what any sender has, and what everything behind it can write. */
const MAX_DEPTH = 128;

/**
 * A text as the JSON of an event.
 *
 * @throws {Problem} 400 `invalid_json`; 422 `invalid_webhook_event` when it is nested more than 128 deep.
 */
export function parseEvent(text: string): unknown {
  const value = parseJson(text);
  let level = [value].filter(isNested);
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= MAX_DEPTH) throw invalidEvent(`An event is nested ${MAX_DEPTH} deep at most`);
    level = level.flatMap((item) => Object.values(item)).filter(isNested);
  }
  return value;
}

function isNested(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** 401: nothing says who sent it. */
export function signatureMissing(header: string): Problem {
  return refused("signature_missing", `The request has no ${header} header that can be read`);
}

/** 401: not signed with a secret of this provider, or not this body. */
export function signatureInvalid(): Problem {
  return refused("signature_invalid", "The signature is not one of this body and this sender");
}

/** 401: signed too long ago, which somebody who has recorded it could send again. */
export function signatureExpired(): Problem {
  return refused(
    "signature_expired",
    `The signature is not of the last ${TOLERANCE_S / 60} minutes`,
  );
}

/** 422: JSON, but not an event. */
export function invalidEvent(detail: string): Problem {
  return new Problem(422, "invalid_webhook_event", detail);
}

function refused(code: string, detail: string): Problem {
  return new Problem(401, code, detail, { headers: { "www-authenticate": "Signature" } });
}

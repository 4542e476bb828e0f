/**
 * The requests of `chats`. Encrypted values pass through as text: SQL checks the envelopes, and reports each fault with
 * its own code.
 *
 * @module
 */

import * as z from "zod/mini";

import type { Json } from "../_shared/database.types.ts";
import { id, json, list } from "../_shared/schema.ts";

/** A version: how often something was saved. 0 if it does not exist yet. */
const version = z.int().check(z.minimum(0));

/** A count that fits into an `integer` of SQL. */
const count = version.check(z.maximum(2_147_483_647));

/** An envelope: the text of a JSON object. */
export const envelope = z.string();

/** A new head of the account: SQL checks it. */
export const History = z.strictObject({ expected: version, counter: version, sealed: z.string() });

/** What proves a change: the head of the chat, and that of the account. */
const proofs = { head: z.optional(z.string()), history: z.optional(History) };

/** `PUT /chats/:id`: the whole chat. */
export const Save = z.strictObject({
  expected_version: version,
  encrypted_data: envelope,
  encrypted_title: z.optional(envelope),
  is_starred: z.optional(z.boolean()),
  restore: z.optional(z.boolean()),
  ...proofs,
});

/** `PATCH /chats/:id`: the title and the star. */
export const Change = z.strictObject({
  expected_version: version.check(z.minimum(1)),
  encrypted_title: z.optional(envelope),
  is_starred: z.optional(z.boolean()),
  ...proofs,
}).check(z.refine(
  (change) => change.encrypted_title !== undefined || change.is_starred !== undefined,
  "Give encrypted_title, is_starred or both",
));

/** `POST /chats/:id/segments`. */
export const Segment = z.strictObject({
  expected_version: version,
  number: count,
  encrypted_data: envelope,
  ...proofs,
});

/** `DELETE /chats/:id`, which may have no body. */
export const Deletion = z.strictObject({ history: z.optional(History) });

/** `PUT /chats/history`. */
export const SetHistory = z.strictObject({ history: History, expected_sequence: version });

const digits = z.string().check(z.regex(/^\d{1,15}$/, "Must be a whole number, 0 or greater"));

/** `GET /chats/:id`. */
export const ReadQuery = z.strictObject({
  from_segment: z.optional(
    z.string().check(z.regex(/^\d{1,9}$/, "Must be a whole number, 0 or greater")),
  ),
  known_data_version: z.optional(digits),
});

/** `DELETE /chats/:id`. */
export const DeleteQuery = z.strictObject({ expected_version: z.optional(digits) });

/** Many more than a key needs: SQL refuses fewer than these with a code of its own. */
const MOST_WRAPS = 100;

/** `PUT /chats/keys` and `POST /chats/keys/rotate`. SQL checks the wraps, and reports which one is wrong. */
export const Keys = z.strictObject({
  expected_version: count,
  key_id: id,
  proof: z.optional(z.string()),
  next_proof_hash: z.optional(z.string()),
  wraps: list(
    z.looseObject({
      device_id: z.optional(json),
      salt: z.optional(json),
      iterations: z.optional(json),
      memory_kib: z.optional(json),
      passes: z.optional(json),
      credential_id: z.optional(json),
      name: z.optional(json),
    }),
    MOST_WRAPS,
  ) as z.ZodMiniType<Json[]>,
});

/** The path of a chat. */
export const ChatPath = z.strictObject({ id });

/** The path of a wrap that was replaced. */
export const ReplacedPath = z.strictObject({ id });

/** The path of a device. */
export const DevicePath = z.strictObject({ device_id: id });

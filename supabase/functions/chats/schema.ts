/**
 * What the routes of `chats` take. What is encrypted goes through as text: SQL says what is wrong with an envelope, each
 * fault by its own code.
 *
 * @module
 */

import * as z from "zod/mini";

import { id, json } from "../_shared/schema.ts";

/** How often something was saved; 0 is before the first time. */
const version = z.int().check(z.minimum(0));

/** What SQL counts in an `integer`. */
const count = version.check(z.maximum(2_147_483_647));

/** An envelope: the text of a JSON object. */
export const envelope = z.string();

/** `PUT /chats/:id`: the whole chat. */
export const Save = z.strictObject({
  expected_version: version,
  encrypted_data: envelope,
  encrypted_title: z.optional(envelope),
  is_starred: z.optional(z.boolean()),
});

/** `PATCH /chats/:id`: what is beside its content. */
export const Change = z.strictObject({
  expected_version: version.check(z.minimum(1)),
  encrypted_title: z.optional(envelope),
  is_starred: z.optional(z.boolean()),
}).check(z.refine(
  (change) => change.encrypted_title !== undefined || change.is_starred !== undefined,
  "There is nothing to change: encrypted_title, is_starred or both",
));

/** `POST /chats/:id/segments`. */
export const Segment = z.strictObject({
  expected_version: version,
  number: count,
  encrypted_data: envelope,
});

/** `POST /chats/:id/attachments`: bytes of what will be uploaded, an envelope as all that is in a chat. */
export const Attachment = z.strictObject({ size: z.int() });

const digits = z.string().check(z.regex(/^\d{1,15}$/, "A whole number from 0"));

/** `GET /chats/:id`. */
export const ReadQuery = z.strictObject({
  from_segment: z.optional(z.string().check(z.regex(/^\d{1,9}$/, "A whole number from 0"))),
  known_data_version: z.optional(digits),
});

/** `DELETE /chats/:id`. */
export const DeleteQuery = z.strictObject({ expected_version: z.optional(digits) });

/** `PUT /chats/keys` and `POST /chats/keys/rotate`. SQL says what is wrong with a wrap, and which one. */
export const Keys = z.strictObject({
  expected_version: count,
  key_id: id,
  wraps: z.array(z.catchall(z.object({}), json)),
});

/** The path of a chat. */
export const ChatPath = z.strictObject({ id });

/** The path of a device. */
export const DevicePath = z.strictObject({ device_id: id });

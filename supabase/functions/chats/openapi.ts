/**
 * The routes of `chats` for its OpenAPI document.
 *
 * @module
 */

import * as z from "zod/mini";

import { describeFunction } from "../_openapi/document.ts";
import { id, time } from "../_shared/schema.ts";
import { describeApprovalRoutes } from "./approvals_openapi.ts";
import { describeAttachmentRoute } from "./attachments_openapi.ts";
import { replacedKeyRoutes } from "./replaced_keys_openapi.ts";
import * as schema from "./schema.ts";

const { envelope } = schema;
z.globalRegistry.add(envelope, {
  id: "Envelope",
  description:
    'The text of `{"v": "2", "key_id", "nonce", "ciphertext", "mac"}`: docs/encryption.md',
});

const state = {
  id,
  version: z.int(),
  data_version: z.int(),
  next_segment: z.int(),
  is_starred: z.boolean(),
  bytes: z.int(),
  created_at: time,
  updated_at: time,
};

const Saved = z.object({ ...state, key_id: z.nullable(id) });
z.globalRegistry.add(Saved, { id: "SavedChat" });

const Page = z.object({
  ...state,
  title: z.nullable(z.string()),
  custom_name: z.nullable(z.string()),
  image_paths: z.nullable(z.array(z.string())),
  encrypted_title: z.nullable(envelope),
  encrypted_data: z.nullable(envelope),
  head: z.nullable(z.string()),
  segments: z.array(z.object({ number: z.int(), encrypted_data: envelope })),
  has_more: z.boolean(),
});

const KeyChange = z.object({ version: z.int(), key_id: id, epoch: z.int() });
z.globalRegistry.add(KeyChange, { id: "KeyChange" });

const Wrap = z.object({
  kind: z.enum(["password", "recovery", "device", "passkey", "epoch"]),
  device_id: z.optional(id),
  salt: z.optional(z.string()),
  iterations: z.optional(z.int()),
  memory_kib: z.optional(z.int()),
  passes: z.optional(z.int()),
  credential_id: z.optional(z.string()),
  name: z.optional(z.string()),
  wrap: z.string(),
});
z.globalRegistry.add(Wrap, { id: "Wrap" });
const Keys = z.strictObject({ ...schema.Keys.shape, wraps: z.array(Wrap) });

const Keyring = z.object({
  version: z.int(),
  key_id: z.nullable(id),
  epoch: z.nullable(z.int()),
  keys: z.array(z.object({
    id,
    epoch: z.int(),
    created_at: time,
    envelopes: z.int(),
    wraps: z.array(
      z.object({
        ...Wrap.shape,
        wrapped_by: z.optional(id),
        created_at: time,
        last_used_at: z.optional(time),
      }),
    ),
  })),
  legacy_envelopes: z.int(),
  proof_number: z.nullable(z.int()),
});

z.globalRegistry.add(schema.History, {
  id: "History",
  description:
    "A new head of the account, and the counter of the one that it replaces: docs/verified-history.md",
});

const ENVELOPE_PROBLEMS = [
  "envelope_malformed",
  "envelope_version_unknown",
  "envelope_base64_invalid",
  "envelope_nonce_invalid",
  "envelope_mac_invalid",
  "envelope_key_unknown",
];

const saving = {
  404: ["chat_not_found", "user_not_found"],
  409: ["version_conflict", "key_epoch_old", "nonce_reused", "history_conflict"],
  410: ["chat_deleted"],
  413: ["envelope_too_large", "chat_quota_exceeded"],
  422: [...ENVELOPE_PROBLEMS, "invalid_head", "invalid_history"],
};

const keyProblems = {
  403: ["key_proof_wrong"],
  404: ["user_not_found"],
  409: ["version_conflict", "too_many_devices"],
  422: ["invalid_wraps", "invalid_wrap", "wrap_missing", "invalid_key_proof"],
};

/** The OpenAPI document of `chats`. */
export const document: unknown = describeFunction({
  name: "chats",
  summary: "Chats that only their owner can read, and the wrapped keys that encrypt them.",
  routes: [
    {
      method: "get",
      path: "/keys",
      summary: "Read the wrapped keys",
      description:
        "Includes the number of envelopes in each epoch, which shows the progress of a rotation.",
      auth: ["user"],
      response: { status: 200, description: "The keys, newest epoch first", schema: Keyring },
      problems: {},
    },
    {
      method: "put",
      path: "/keys",
      summary: "Replace wraps",
      description:
        "Adds or replaces wraps of the current epoch, for a new password, a new recovery key, another device or a passkey. Other " +
        "wraps stay. With `expected_version` 0, it creates the first epoch. If the keys have a `proof_number`, `proof` must " +
        "show that the client has the current key.",
      auth: ["user"],
      idempotent: true,
      body: Keys,
      response: { status: 200, description: "The new version of the keys", schema: KeyChange },
      problems: { ...keyProblems, 409: [...keyProblems[409], "key_epoch_old"] },
    },
    {
      method: "post",
      path: "/keys/rotate",
      summary: "Start a new epoch",
      description:
        "Send the new key wrapped under the password and a new recovery key, and the previous key wrapped under the " +
        "new one. Each device needs the password once. A chat is encrypted with the new key when it is next saved.",
      auth: ["user"],
      idempotent: true,
      body: Keys,
      response: { status: 200, description: "The new version of the keys", schema: KeyChange },
      problems: {
        403: keyProblems[403],
        404: ["keys_not_found", ...keyProblems[404]],
        409: [...keyProblems[409], "key_id_used"],
        422: keyProblems[422],
      },
    },
    ...replacedKeyRoutes,
    {
      method: "delete",
      path: "/keys/devices/{device_id}",
      summary: "Revoke a device or a passkey",
      description:
        "Deletes the wrap of the device or the passkey. If somebody else may have the device, also rotate the keys.",
      auth: ["user"],
      params: schema.DevicePath,
      response: { status: 200, description: "The new version of the keys", schema: KeyChange },
      problems: { 404: ["device_not_found", "user_not_found"], 422: ["invalid_request"] },
    },
    ...describeApprovalRoutes(),
    {
      method: "put",
      path: "/history",
      summary: "Replace the head of the account",
      description:
        "For a client that has listed all chats: after a rotation, and when the user accepts what cannot be proven. Nothing " +
        "may have changed since `expected_sequence`, the number in the cursor of the last sync.",
      auth: ["user"],
      body: schema.SetHistory,
      response: {
        status: 200,
        description: "Replaced",
        schema: z.object({ counter: z.int() }),
      },
      problems: {
        404: ["user_not_found"],
        409: ["history_conflict", "key_epoch_old"],
        422: ["invalid_history"],
      },
    },
    {
      method: "get",
      path: "/{id}",
      summary: "Read a chat",
      description:
        "Returns all of the chat, or only the segments from `from_segment` on. `encrypted_data` is left out if its version " +
        "is still `known_data_version`. Read on while `has_more` is true.",
      auth: ["user"],
      params: schema.ChatPath,
      query: schema.ReadQuery,
      response: { status: 200, description: "The chat", schema: Page },
      problems: { 404: ["chat_not_found"], 422: ["invalid_request"] },
    },
    {
      method: "put",
      path: "/{id}",
      summary: "Save a chat as a whole",
      description:
        "Replaces the chat, including its segments. `expected_version` 0 creates a chat (201); with `restore`, also a chat " +
        "that was deleted (200): its versions continue. If the chat is at another version, the response is a 409 with the " +
        "stored chat in `chat`.",
      auth: ["user"],
      idempotent: true,
      stores: true,
      params: schema.ChatPath,
      body: schema.Save,
      response: { status: [200, 201], description: "Saved. 201 if the chat is new", schema: Saved },
      problems: saving,
    },
    {
      method: "patch",
      path: "/{id}",
      summary: "Star or rename a chat",
      description: "Members that are left out stay unchanged.",
      auth: ["user"],
      idempotent: true,
      params: schema.ChatPath,
      body: schema.Change,
      response: { status: 200, description: "Saved", schema: Saved },
      problems: saving,
    },
    {
      method: "post",
      path: "/{id}/segments",
      summary: "Append a segment to a chat",
      description:
        "Its `number` must be the chat's `next_segment`. Only the segment is sent, not the whole chat.",
      auth: ["user"],
      idempotent: true,
      params: schema.ChatPath,
      body: schema.Segment,
      response: { status: 201, description: "Saved", schema: Saved },
      problems: { ...saving, 422: [...saving[422], "invalid_segment_number"] },
    },
    describeAttachmentRoute(),
    {
      method: "delete",
      path: "/{id}",
      summary: "Delete a chat",
      description:
        "With `expected_version`, deletes the chat only if it is at that version. Sending the request twice does no harm. " +
        "With `history`, it replaces the head of the account, and the response says in `proven` whether it did.",
      auth: ["user"],
      params: schema.ChatPath,
      query: schema.DeleteQuery,
      body: schema.Deletion,
      response: {
        status: 200,
        description: "Deleted",
        schema: z.object({ id, deleted: z.literal(true), proven: z.optional(z.boolean()) }),
      },
      problems: {
        404: ["chat_not_found", "user_not_found"],
        409: ["version_conflict", "key_epoch_old", "history_conflict"],
        422: ["invalid_request", "invalid_history"],
      },
    },
  ],
});

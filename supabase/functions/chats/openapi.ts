/**
 * The routes of `chats` for its OpenAPI document.
 *
 * @module
 */

import * as z from "zod/mini";

import { describeFunction } from "../_openapi/document.ts";
import { id, time } from "../_shared/schema.ts";
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
  segments: z.array(z.object({ number: z.int(), encrypted_data: envelope })),
  has_more: z.boolean(),
});

const KeyChange = z.object({ version: z.int(), key_id: id, epoch: z.int() });
z.globalRegistry.add(KeyChange, { id: "KeyChange" });

const Upload = z.object({
  id,
  bucket: z.literal("chat-images"),
  path: z.string(),
  upload_path: z.string(),
  token: z.string(),
  url: z.url(),
  expires_at: z.iso.datetime(),
});

const Wrap = z.object({
  kind: z.enum(["password", "recovery", "device", "epoch"]),
  device_id: z.optional(id),
  salt: z.optional(z.string()),
  iterations: z.optional(z.int()),
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
    wraps: z.array(z.object({ ...Wrap.shape, wrapped_by: z.optional(id), created_at: time })),
  })),
  legacy_envelopes: z.int(),
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
  409: ["version_conflict", "key_epoch_old", "nonce_reused"],
  410: ["chat_deleted"],
  413: ["envelope_too_large", "chat_quota_exceeded"],
  422: ENVELOPE_PROBLEMS,
};

const keyProblems = {
  404: ["user_not_found"],
  409: ["version_conflict", "too_many_devices"],
  422: ["invalid_wraps", "invalid_wrap", "wrap_missing"],
};

/** The OpenAPI document of `chats`. */
export const document: unknown = describeFunction({
  name: "chats",
  summary: "Chats that only their user can read, and the keys that open them.",
  routes: [
    {
      method: "get",
      path: "/keys",
      summary: "The keys, wrapped",
      description:
        "And how many envelopes are encrypted in each epoch: how far a rotation has come.",
      auth: ["user"],
      response: { status: 200, description: "The keys, newest epoch first", schema: Keyring },
      problems: {},
    },
    {
      method: "put",
      path: "/keys",
      summary: "Replace wraps",
      description:
        "Of the epoch in force: a new password, a new recovery key, one more device; others stay. With " +
        "`expected_version` 0 it makes the first epoch.",
      auth: ["user"],
      idempotent: true,
      body: Keys,
      response: { status: 200, description: "The keys' version", schema: KeyChange },
      problems: { ...keyProblems, 409: [...keyProblems[409], "key_epoch_old"] },
    },
    {
      method: "post",
      path: "/keys/rotate",
      summary: "Start a new epoch",
      description:
        "With its key under the password and a new recovery key, and the key before it under the new one. " +
        "Devices need the password once. Chats are encrypted anew when they are next saved.",
      auth: ["user"],
      idempotent: true,
      body: Keys,
      response: { status: 200, description: "The keys' version", schema: KeyChange },
      problems: {
        404: ["keys_not_found", ...keyProblems[404]],
        409: [...keyProblems[409], "key_id_used"],
        422: keyProblems[422],
      },
    },
    {
      method: "delete",
      path: "/keys/devices/{device_id}",
      summary: "Revoke a device",
      description: "Its wrap goes. What it has read it may have kept: rotate when it was lost.",
      auth: ["user"],
      params: schema.DevicePath,
      response: { status: 200, description: "The keys' version", schema: KeyChange },
      problems: { 404: ["device_not_found", "user_not_found"], 422: ["invalid_request"] },
    },
    {
      method: "get",
      path: "/{id}",
      summary: "Read a chat",
      description:
        "All of it, or segments from `from_segment` on and `encrypted_data` unless it is of " +
        "`known_data_version`; read on while `has_more`.",
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
        "In place of what there was, its segments included. `expected_version` 0 is a new one (201). At another " +
        "version: 409, with what is there in `chat`.",
      auth: ["user"],
      idempotent: true,
      params: schema.ChatPath,
      body: schema.Save,
      response: { status: [200, 201], description: "Saved; 201 when it is new", schema: Saved },
      problems: saving,
    },
    {
      method: "patch",
      path: "/{id}",
      summary: "Star or rename a chat",
      description: "What is left out stays as it is.",
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
      summary: "Add a segment to a chat",
      description: "Its `number` is the chat's `next_segment`. Costs what the segment does.",
      auth: ["user"],
      idempotent: true,
      params: schema.ChatPath,
      body: schema.Segment,
      response: { status: 201, description: "Saved", schema: Saved },
      problems: { ...saving, 422: [...ENVELOPE_PROBLEMS, "invalid_segment_number"] },
    },
    {
      method: "post",
      path: "/{id}/attachments",
      summary: "Reserve the upload of an attachment",
      description:
        "At `{user}/{chat}/{id}` in `chat-images`, for an envelope of the part `attachment/{id}`. Upload it to `url`, " +
        "then `POST /files/uploads/{id}/complete`. It goes with its chat.",
      auth: ["user"],
      idempotent: true,
      storage: true,
      params: schema.ChatPath,
      body: schema.Attachment,
      response: { status: 201, description: "Where the bytes go", schema: Upload },
      problems: {
        404: ["chat_not_found", "user_not_found"],
        409: ["upload_already_complete", "upload_expired"],
        413: ["file_too_large", "storage_quota_exceeded"],
        422: ["invalid_size"],
        429: ["too_many_uploads"],
      },
    },
    {
      method: "delete",
      path: "/{id}",
      summary: "Delete a chat",
      description: "With `expected_version` only if it is at that one. Repeatable.",
      auth: ["user"],
      params: schema.ChatPath,
      query: schema.DeleteQuery,
      response: {
        status: 200,
        description: "Deleted",
        schema: z.object({ id, deleted: z.literal(true) }),
      },
      problems: {
        404: ["chat_not_found", "user_not_found"],
        409: ["version_conflict"],
        422: ["invalid_request"],
      },
    },
  ],
});

/**
 * The message routes for the OpenAPI documents of projects and conversations.
 *
 * @module
 */

import * as z from "zod/mini";

import { Entry } from "../_openapi/credit_entry.ts";
import type { RouteDescription } from "../_openapi/document.ts";
import { id, time } from "../_shared/schema.ts";
import * as schema from "./schema.ts";

/** A message in a response. */
export const Message = z.object({
  id,
  project_id: z.nullable(id),
  conversation_id: z.nullable(id),
  role: z.enum(["user", "assistant", "system"]),
  content: z.unknown(),
  object_data: z.nullable(z.unknown()),
  result_data: z.nullable(z.unknown()),
  metadata: z.record(z.string(), z.unknown()),
  sequence_number: z.nullable(z.int()),
  status: z.enum(["streaming", "complete", "aborted"]),
  hold_id: z.nullable(id),
  author_id: z.nullable(id),
  client_id: z.nullable(z.string()),
  user_id: z.nullable(id),
  created_at: time,
  updated_at: time,
});

const Saved = z.object({
  messages: z.array(Message),
  entry: z.nullable(Entry),
});

z.globalRegistry.add(Message, { id: "Message" });
z.globalRegistry.add(Saved, { id: "SavedMessages" });

/** What SQL accepts in each member: the functions check only their names. */
const MEMBERS: Record<keyof typeof schema.message, object> = {
  id: { type: "string" },
  role: { type: "string", enum: ["user", "assistant", "system"] },
  content: {
    anyOf: [
      ...["string", "number", "boolean"].map((type) => ({ type })),
      { type: "object", additionalProperties: {} },
      { type: "array", items: {} },
    ],
  },
  object_data: {},
  result_data: {},
  metadata: { type: "object", additionalProperties: {} },
  sequence_number: { type: "integer" },
  status: { type: "string", enum: ["complete", "streaming"] },
};

const DESCRIPTIONS: Record<keyof typeof schema.message, string> = {
  id:
    "Id that the caller may choose: a UUID, or 1 to 64 letters, digits, _ and -, which becomes the client_id. Sending " +
    "the same message with the same id again saves nothing twice",
  role: "user or assistant; a service can also use system",
  content:
    "Any JSON except null: for example a string, an object with text or value, or a list of such parts",
  object_data: "Any JSON",
  result_data: "Any JSON",
  metadata: "An object",
  sequence_number:
    "Position in the project, from 0. Default: the next one. A message in a conversation has none",
  status: "complete (the default), or streaming for a draft",
};
for (const [name, description] of Object.entries(DESCRIPTIONS)) {
  const member = name as keyof typeof schema.message;
  z.globalRegistry.add(schema.message[member], { description, override: MEMBERS[member] });
}
/** SQL refuses a message without these, and names its position in the batch. */
function requireMembers({ jsonSchema }: { jsonSchema: { required?: string[] } }): void {
  jsonSchema.required = [...jsonSchema.required ?? [], "role", "content"];
}

z.globalRegistry.add(schema.UserMessage, { id: "NewMessage", override: requireMembers });
z.globalRegistry.add(schema.ServiceMessage, { override: requireMembers });
for (const batch of [schema.UserBatch, schema.ServiceBatch]) {
  z.globalRegistry.add(batch.shape.messages, {
    override: ({ jsonSchema }: { jsonSchema: { items?: object } }) => {
      jsonSchema.items = { $ref: "#/components/schemas/NewMessage" };
    },
  });
}

/** Codes of problems that are about the parent of a message. */
const PARENT_PROBLEMS = {
  project_id: {
    403: ["project_read_only", "not_message_author"],
    404: ["project_not_found"],
    409: ["project_deleted", "project_cloning"],
  },
  conversation_id: { 403: [], 404: ["conversation_not_found"], 409: [] },
};

/**
 * Describes the routes below `/{id}/messages`.
 *
 * @param of Whether `{id}` is the id of a project or of a conversation.
 */
export function describeMessageRoutes(of: keyof typeof PARENT_PROBLEMS): RouteDescription[] {
  const parent = PARENT_PROBLEMS[of];
  const paths = schema.paths[of];
  const settling = {
    402: ["insufficient_credits", "member_limit_exceeded"],
    403: parent[403],
    404: [...parent[404], "hold_not_found"],
    409: [
      ...parent[409],
      "message_settled",
      "hold_already_captured",
      "hold_released",
      "hold_expired",
    ],
    413: ["content_too_large", "too_many_bytes"],
    422: [
      "invalid_settlement",
      "capture_exceeds_hold",
      "unknown_sku",
      "unit_mismatch",
      "invalid_quantity",
      "invalid_charge",
      "invalid_amount",
    ],
  };
  const endings = ["finish", "abort"].map((ending): RouteDescription => ({
    method: "post",
    path: `/{id}/messages/{message_id}/${ending}`,
    summary: ending === "finish" ? "Complete a draft" : "Abort a draft",
    description:
      "Replaces the content of the draft if the request has any. `settle` captures a hold in the same transaction " +
      "(services only), exactly once, whatever has become of the draft: one that was aborted is finished, one that is " +
      "complete stays as it is, and if there is none any more, `messages` is empty. A repeat returns the same result.",
    auth: ["user", "secret"],
    permission: "messages:write",
    params: paths.message,
    body: z.union([schema.UserEnding, schema.ServiceEnding]),
    response: {
      status: 200,
      description: "The message, and the entry that charged for it",
      schema: Saved,
    },
    problems: {
      ...settling,
      404: [...settling[404], "message_not_found"],
      409: [...settling[409], "message_finished", "system_message"],
    },
  }));
  return [
    {
      method: "post",
      path: "/{id}/messages",
      summary: "Save messages",
      description:
        "Saves one message, or `messages` in order, all or none. `If-None-Match: *` refuses to replace a message that " +
        "has the same number. A service gives the user in `user_id` and can pay for a single message by capturing a " +
        "hold: `settle`. If the message cannot be saved any more, `settle` still pays, and `messages` is empty.",
      auth: ["user", "secret"],
      permission: "messages:write",
      idempotent: true,
      stores: true,
      params: paths.parent,
      body: z.union([
        schema.UserMessage,
        schema.UserBatch,
        schema.ServiceMessage,
        schema.ServiceBatch,
      ]),
      response: {
        status: 201,
        description: "The messages, and the entry that charged for them",
        schema: Saved,
      },
      problems: {
        ...settling,
        400: ["invalid_if_none_match"],
        409: [...settling[409], "message_id_used", "system_message"],
        410: ["message_deleted"],
        412: ["sequence_number_taken"],
        422: [
          ...settling[422],
          "invalid_batch",
          "invalid_message",
          "invalid_role",
          "content_missing",
          "invalid_message_id",
          "invalid_sequence_number",
          "invalid_status",
          "too_many_messages",
        ],
      },
    },
    {
      method: "patch",
      path: "/{id}/messages/{message_id}",
      summary: "Replace the content of a draft",
      description:
        "Cheap enough to call a few times a second while the assistant writes the message.",
      auth: ["user", "secret"],
      permission: "messages:write",
      params: paths.message,
      body: z.union([schema.UserDraft, schema.ServiceDraft]),
      response: { status: 200, description: "The message", schema: Message },
      problems: {
        403: parent[403],
        404: [...parent[404], "message_not_found"],
        409: [...parent[409], "message_finished", "system_message"],
        413: ["content_too_large", "too_many_bytes"],
        422: ["content_missing"],
      },
    },
    {
      method: "put",
      path: "/{id}/messages/{message_id}",
      summary: "Replace a message",
      description:
        "Replaces `content`, `object_data`, `result_data` and `metadata` of a saved message of the user's own; what is left " +
        "out becomes null, or {} for `metadata`. `role` and `id` must be those of the message if they are given. With " +
        "`If-Match`, the message must still have this ETag, which is its `updated_at` in quotation marks. A repeat returns " +
        "the same message.",
      auth: ["user", "secret"],
      permission: "messages:write",
      params: paths.message,
      body: z.union([schema.UserReplacement, schema.ServiceReplacement]),
      response: { status: 200, description: "The message", schema: Message },
      problems: {
        400: ["invalid_if_match"],
        403: parent[403],
        404: [...parent[404], "message_not_found"],
        409: [...parent[409], "system_message"],
        412: ["message_changed"],
        413: ["content_too_large", "too_many_bytes"],
        422: ["invalid_message", "invalid_role", "content_missing", "invalid_message_id"],
      },
    },
    ...endings,
  ];
}

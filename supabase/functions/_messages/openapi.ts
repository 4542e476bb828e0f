/**
 * The routes of messages for the OpenAPI documents of what has messages.
 *
 * @module
 */

import * as z from "zod/mini";

import { Entry } from "../_openapi/credit_entry.ts";
import type { RouteDescription } from "../_openapi/document.ts";
import { id, time } from "../_shared/schema.ts";
import * as schema from "./schema.ts";

/** A message as it is answered. */
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
  created_at: time,
  updated_at: time,
});

const Saved = z.object({
  messages: z.array(Message),
  entry: z.nullable(Entry),
});

z.globalRegistry.add(Message, { id: "Message" });
z.globalRegistry.add(Saved, { id: "SavedMessages" });
const DESCRIPTIONS: Record<keyof typeof schema.message, string> = {
  id: "UUID of the caller's choice: the same message with it again is a repeat",
  role: "user or assistant; a service also writes as system",
  content: "Any JSON but null: a string, an object with text or value, a list of such parts",
  object_data: "Any JSON",
  result_data: "Any JSON",
  metadata: "An object",
  sequence_number: "Place in the project, from 0; the next when it is left out",
  status: "complete, or streaming for a draft",
};
for (const [name, description] of Object.entries(DESCRIPTIONS)) {
  z.globalRegistry.add(schema.message[name as keyof typeof schema.message], { description });
}

/**
 * Describes the routes below `/{id}/messages`.
 *
 * @param notFound Codes of 403, 404 and 409 that say something of the parent.
 */
export function describeMessageRoutes(
  notFound: { 403: string[]; 404: string[]; 409: string[] },
): RouteDescription[] {
  const settling = {
    402: ["insufficient_credits", "member_limit_exceeded"],
    403: notFound[403],
    404: [...notFound[404], "hold_not_found"],
    409: [
      ...notFound[409],
      "message_settled",
      "hold_already_captured",
      "hold_released",
      "hold_expired",
    ],
    413: ["content_too_large"],
    422: [
      "invalid_settlement",
      "capture_exceeds_hold",
      "unknown_sku",
      "invalid_quantity",
      "invalid_charge",
      "invalid_amount",
    ],
  };
  const endings = ["finish", "abort"].map((ending): RouteDescription => ({
    method: "post",
    path: `/{id}/messages/{message_id}/${ending}`,
    summary: ending === "finish" ? "End a draft whole" : "End a draft with what it has",
    description:
      "With the content given, or the one that it has. `settle` captures a hold for it in the same transaction " +
      "(services only). The same again answers the same.",
    auth: ["user", "secret"],
    params: schema.MessagePath,
    body: z.union([schema.UserEnding, schema.ServiceEnding]),
    response: { status: 200, description: "The message, and the entry", schema: Saved },
    problems: {
      ...settling,
      404: [...settling[404], "message_not_found"],
      409: [...settling[409], "message_finished"],
    },
  }));
  return [
    {
      method: "post",
      path: "/{id}/messages",
      summary: "Save messages",
      description:
        "One, or `messages` in order, all or none. `If-None-Match: *` refuses to replace a number that is taken. " +
        "A service names the user in `user_id`, and may pay for one message by capturing a hold: `settle`.",
      auth: ["user", "secret"],
      idempotent: true,
      params: schema.ParentPath,
      body: z.union([
        schema.UserMessage,
        schema.UserBatch,
        schema.ServiceMessage,
        schema.ServiceBatch,
      ]),
      response: { status: 201, description: "The messages, and the entry", schema: Saved },
      problems: {
        ...settling,
        400: ["invalid_if_none_match"],
        409: [...settling[409], "message_id_used", "system_message"],
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
      summary: "Replace the text of a draft",
      description: "Cheap: for a few times a second while an answer is written.",
      auth: ["user", "secret"],
      params: schema.MessagePath,
      body: z.union([schema.UserDraft, schema.ServiceDraft]),
      response: { status: 200, description: "The message", schema: Message },
      problems: {
        403: notFound[403],
        404: [...notFound[404], "message_not_found"],
        409: [...notFound[409], "message_finished"],
        413: ["content_too_large"],
        422: ["content_missing"],
      },
    },
    ...endings,
  ];
}

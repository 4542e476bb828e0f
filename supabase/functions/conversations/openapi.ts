/**
 * The routes of `conversations` for its OpenAPI document.
 *
 * @module
 */

import * as z from "zod/mini";

import { describeMessageRoutes, Message } from "../_messages/openapi.ts";
import { describeFunction } from "../_openapi/document.ts";
import { id, time } from "../_shared/schema.ts";
import * as schema from "./schema.ts";

const Started = z.object({
  conversation: z.object({
    id,
    user_id: id,
    client_id: z.nullable(z.string()),
    title: z.string(),
    system_prompt: z.nullable(z.string()),
    created_at: time,
    updated_at: time,
  }),
  messages: z.array(Message),
});

/** The OpenAPI document of `conversations`. */
export const document: unknown = describeFunction({
  name: "conversations",
  summary: "Starts conversations and saves their messages.",
  routes: [
    {
      method: "post",
      path: "",
      summary: "Start a conversation with its first message",
      description:
        "Saves the conversation and the message, both or neither. Without `title`, the title is the first line of the " +
        "message. The caller may choose both ids: a second request with the same two ids saves nothing twice.",
      auth: ["user", "secret"],
      permission: "messages:write",
      idempotent: true,
      stores: true,
      body: z.union([schema.UserConversation, schema.ServiceConversation]),
      response: { status: 201, description: "The conversation and its message", schema: Started },
      problems: {
        404: ["user_not_found"],
        409: ["conversation_id_used", "message_id_used"],
        410: ["conversation_deleted", "message_deleted"],
        413: ["content_too_large"],
        422: [
          "invalid_title",
          "invalid_conversation_id",
          "invalid_message",
          "invalid_role",
          "content_missing",
          "invalid_message_id",
          "invalid_sequence_number",
          "invalid_status",
        ],
      },
    },
    ...describeMessageRoutes("conversation_id"),
  ],
});

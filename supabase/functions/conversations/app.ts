/**
 * Starts conversations with their first message and saves the messages that follow.
 *
 * @module
 */

import { addMessageRoutes } from "../_messages/routes.ts";
import { answer } from "../_shared/answer.ts";
import { createApp } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import { MESSAGES_BODY_BYTES } from "../_shared/body_limit.ts";
import { readFor, readIdempotencyKey } from "../_shared/request.ts";
import { call, defined } from "../_shared/rpc.ts";
import * as schema from "./schema.ts";

const openapi = () => import("./openapi.json", { with: { type: "json" } });

/** The routes of `conversations`; `openapi.ts` describes them. */
export const app = createApp("conversations", openapi, {
  maxBodyBytes: MESSAGES_BODY_BYTES,
  acceptsContent: true,
});

addMessageRoutes(app, "conversation_id");

app.post("/", authenticate(["user", "secret"], "messages:write"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const { id: conversation_id, ...body } = await readFor(
    c,
    schema.UserConversation,
    schema.ServiceConversation,
  );
  const args = defined({ ...body, conversation_id, idempotency_key });
  return answer(c, await call(() => supabaseAdmin.rpc("start_conversation", args)), 201);
});

/**
 * The message routes that projects and conversations share.
 *
 * @module
 */

import type { Context, Hono } from "hono";
import * as z from "zod/mini";

import { answer } from "../_shared/answer.ts";
import { authenticate, type AuthenticatedEnv } from "../_shared/auth.ts";
import { withoutNulls } from "../_shared/nulls.ts";
import {
  checkFor,
  mayReplace,
  readFor,
  readIdempotencyKey,
  readIfMatch,
  readJson,
  readPath,
  type RequestFor,
} from "../_shared/request.ts";
import { call, defined } from "../_shared/rpc.ts";
import * as schema from "./schema.ts";

/** The column that refers to the parent of a message. */
type Parent = keyof typeof schema.paths;

/**
 * Adds the routes below `/:id/messages` to an app.
 *
 * @param app The app of `projects` or of `conversations`.
 * @param parent Whether `:id` is the id of a project or of a conversation.
 */
export function addMessageRoutes(app: Hono<AuthenticatedEnv>, parent: Parent): void {
  const paths = schema.paths[parent];
  const of = (id: string) => parent === "project_id" ? { project_id: id } : { conversation_id: id };

  app.post("/:id/messages", authenticate(["user", "secret"], "messages:write"), async (c) => {
    const { supabaseAdmin } = c.var.supabaseContext;
    const idempotency_key = readIdempotencyKey(c);
    const replace = mayReplace(c);
    const { id } = readPath(c, paths.parent);
    const body = withoutNulls(
      await readJson(c, z.unknown()),
      [schema.ServiceMessage, schema.ServiceBatch],
    );
    const isBatch = body instanceof Object && "messages" in body;
    const batch = isBatch
      ? checkFor(c, body, { user: schema.UserBatch, service: schema.ServiceBatch })
      : toBatch(checkFor(c, body, { user: schema.UserMessage, service: schema.ServiceMessage }));
    const args = defined({ ...batch, ...of(id), replace, idempotency_key });
    return answer(c, await call(() => supabaseAdmin.rpc("save_messages", args)), 201);
  });

  app.patch(
    "/:id/messages/:message_id",
    authenticate(["user", "secret"], "messages:write"),
    async (c) => {
      const { supabaseAdmin } = c.var.supabaseContext;
      const { id, message_id } = readPath(c, paths.message);
      const body = await readFor(c, schema.UserDraft, schema.ServiceDraft);
      // Null when it is missing, because SQL has no default for it.
      const args = { ...body, message_id, content: body.content ?? null, ...of(id) };
      return answerMessage(c, await call(() => supabaseAdmin.rpc("update_draft", args)));
    },
  );

  app.put(
    "/:id/messages/:message_id",
    authenticate(["user", "secret"], "messages:write"),
    async (c) => {
      const { supabaseAdmin } = c.var.supabaseContext;
      const if_match = readIfMatch(c);
      const { id, message_id } = readPath(c, paths.message);
      const { user_id, actor, ...message } = await readFor(
        c,
        schema.UserReplacement,
        schema.ServiceReplacement,
      );
      const args = defined({ user_id, actor, message, message_id, ...of(id), if_match });
      return answerMessage(c, await call(() => supabaseAdmin.rpc("replace_message", args)));
    },
  );

  for (const [route, status] of [["finish", "complete"], ["abort", "aborted"]] as const) {
    app.post(
      `/:id/messages/:message_id/${route}`,
      authenticate(["user", "secret"], "messages:write"),
      async (c) => {
        const { supabaseAdmin } = c.var.supabaseContext;
        const { id, message_id } = readPath(c, paths.message);
        const body = await readFor(c, schema.UserEnding, schema.ServiceEnding);
        const args = defined({ ...body, ...of(id), message_id, status });
        return answer(c, await call(() => supabaseAdmin.rpc("finish_draft", args)), 200);
      },
    );
  }
}

/** Responds with a message. Its ETag is its `updated_at`, which apps also have from PostgREST and Realtime. */
function answerMessage(c: Context, message: { updated_at: string | null }): Response {
  c.header("etag", `"${message.updated_at}"`);
  return c.json(message);
}

/** Makes a batch of one message. */
function toBatch(
  { user_id, actor, settle, ...message }: RequestFor<z.infer<typeof schema.ServiceMessage>>,
) {
  return { user_id, actor, settle, messages: [message] };
}

/**
 * The routes of messages, which projects and conversations share.
 *
 * @module
 */

import type { Context, Hono } from "hono";
import * as z from "zod/mini";

import { answer } from "./answer.ts";
import { authenticate, type AuthenticatedEnv, userId } from "./auth.ts";
import type { Json } from "./database.types.ts";
import * as schema from "./message_schema.ts";
import { check, mayReplace, readIdempotencyKey, readJson, readPath } from "./request.ts";
import { call, defined } from "./rpc.ts";

/** Bytes that a request with messages may have: 8 MiB, of a batch whose messages are not all as large as they may be. */
export const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** What has messages. */
type Parent = "project_id" | "conversation_id";

/** Arguments of a call, by name; SQL says what is wrong with JSON that a message does not take. */
type Args = Record<string, Json | undefined>;

/**
 * Adds the routes below `/:id/messages` to the app of what has messages.
 *
 * @param app The app of `projects` or of `conversations`.
 * @param parent What `:id` is the id of.
 */
export function addMessageRoutes(app: Hono<AuthenticatedEnv>, parent: Parent): void {
  app.post("/:id/messages", authenticate(["user", "secret"]), async (c) => {
    const { supabaseAdmin } = c.var.supabaseContext;
    const idempotency_key = readIdempotencyKey(c);
    const replace = mayReplace(c);
    const { id } = readPath(c, schema.ParentPath);
    const isBatch = "messages" in await readJson(c, z.looseObject({}));
    const { user_id, actor, settle, ...rest } = await readFor(
      c,
      isBatch ? schema.UserBatch : schema.UserMessage,
      isBatch ? schema.ServiceBatch : schema.ServiceMessage,
    );
    const args = defined({
      user_id,
      actor,
      settle,
      replace,
      idempotency_key,
      [parent]: id,
      messages: isBatch ? rest.messages : [rest],
    });
    return answer(c, await call(() => supabaseAdmin.rpc("save_messages", args as never)), 201);
  });

  app.patch("/:id/messages/:message_id", authenticate(["user", "secret"]), async (c) => {
    const { supabaseAdmin } = c.var.supabaseContext;
    const { id, message_id } = readPath(c, schema.MessagePath);
    const { user_id, content } = await readFor(c, schema.UserDraft, schema.ServiceDraft);
    // Null rather than nothing, which SQL has no default for.
    const args = { user_id, message_id, content: content ?? null, [parent]: id };
    return c.json(await call(() => supabaseAdmin.rpc("update_draft", args as never)));
  });

  for (const [route, status] of [["finish", "complete"], ["abort", "aborted"]] as const) {
    app.post(`/:id/messages/:message_id/${route}`, authenticate(["user", "secret"]), async (c) => {
      const { supabaseAdmin } = c.var.supabaseContext;
      const { id, message_id } = readPath(c, schema.MessagePath);
      const body = await readFor(c, schema.UserEnding, schema.ServiceEnding);
      const args = defined({ ...body, message_id, status, [parent]: id });
      return answer(c, await call(() => supabaseAdmin.rpc("finish_draft", args as never)), 200);
    });
  }
}

/**
 * The body of a request, with the user whom it is for and who asked: a signed-in user is known by the token, a service
 * names the user in `user_id`.
 *
 * @param c The request's context.
 * @param user Shape of a user's body.
 * @param service Shape of a service's body.
 * @throws {Problem} 400 `invalid_json`; 422 `invalid_request`.
 */
export async function readFor(
  c: Context<AuthenticatedEnv>,
  user: z.ZodMiniType,
  service: z.ZodMiniType,
): Promise<Args & { user_id: string; actor: "user" | "service" }> {
  const body = await readJson(c, z.unknown());
  return c.var.supabaseContext.authMode === "user"
    ? {
      ...check(user, body) as Args,
      user_id: userId(c.var.supabaseContext),
      actor: "user",
    }
    : { ...check(service, body) as Args & { user_id: string }, actor: "service" };
}

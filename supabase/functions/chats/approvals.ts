/**
 * The messages of approvals: a device lets a new one in. They are encrypted or public shares; nothing here can read them.
 *
 * @module
 */

import type { Hono } from "hono";
import * as z from "zod/mini";

import { answer } from "../_shared/answer.ts";
import { authenticate, type AuthenticatedEnv, userId } from "../_shared/auth.ts";
import { readJson, readPath } from "../_shared/request.ts";
import { call, defined, unwrap } from "../_shared/rpc.ts";
import { id } from "../_shared/schema.ts";
import { DevicePath } from "./schema.ts";

/** `POST /chats/approvals`: the new device's share of the key exchange, in base64. */
export const NewApproval = z.strictObject({ id, share: z.string() });

/** The path of an approval. */
export const ApprovalPath = z.strictObject({ approval_id: id });

/** `PATCH /chats/approvals/:approval_id`: exactly one of these. SQL checks the turn and the form. */
export const ApprovalChange = z.strictObject({
  reply: z.optional(z.string()),
  hello: z.optional(z.string()),
  answer: z.optional(z.string()),
  closed: z.optional(z.enum(["refused", "done"])),
});

/**
 * Adds the routes of approvals, and the one that notes the use of a passkey.
 *
 * @param app The app of `chats`.
 */
export function addApprovalRoutes(app: Hono<AuthenticatedEnv>): void {
  app.get("/approvals", authenticate("user"), async (c) => {
    const { supabase } = c.var.supabaseContext;
    const rows = unwrap(await supabase.rpc("list_chat_approvals"));
    return c.json({ approvals: rows.map(({ user_id: _user_id, ...approval }) => approval) });
  });

  app.post("/approvals", authenticate("user"), async (c) => {
    const { supabaseAdmin } = c.var.supabaseContext;
    const { id: approval_id, share } = await readJson(c, NewApproval);
    const args = { user_id: userId(c.var.supabaseContext), approval_id, share };
    return answer(c, await call(() => supabaseAdmin.rpc("begin_chat_approval", args)), 201);
  });

  app.patch("/approvals/:approval_id", authenticate("user"), async (c) => {
    const { supabaseAdmin } = c.var.supabaseContext;
    const path = readPath(c, ApprovalPath);
    const user_id = userId(c.var.supabaseContext);
    const args = defined({ ...await readJson(c, ApprovalChange), ...path, user_id });
    return answer(c, await call(() => supabaseAdmin.rpc("change_chat_approval", args)));
  });

  app.put("/keys/passkeys/:device_id/use", authenticate("user"), async (c) => {
    const { supabaseAdmin } = c.var.supabaseContext;
    const args = { user_id: userId(c.var.supabaseContext), ...readPath(c, DevicePath) };
    return answer(c, await call(() => supabaseAdmin.rpc("use_chat_passkey", args)));
  });
}

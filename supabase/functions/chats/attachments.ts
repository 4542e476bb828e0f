/**
 * Attachments of chats: files that the client encrypts, in a bucket of Storage.
 *
 * @module
 */

import type { Hono } from "hono";
import * as z from "zod/mini";

import { answer } from "../_shared/answer.ts";
import { authenticate, type AuthenticatedEnv, userId } from "../_shared/auth.ts";
import { readIdempotencyKey, readJson, readPath } from "../_shared/request.ts";
import { startUpload } from "../_storage/uploads.ts";
import { ChatPath } from "./schema.ts";

/** `POST /chats/:id/attachments`: size in bytes of the envelope that will be uploaded. */
export const Attachment = z.strictObject({ size: z.int() });

/**
 * Adds the route that reserves the upload of an attachment.
 *
 * @param app The app of `chats`.
 */
export function addAttachmentRoute(app: Hono<AuthenticatedEnv>): void {
  // The request has no file name: the name is in the chat, encrypted.
  app.post("/:id/attachments", authenticate("user"), async (c) => {
    const { id: chat_id } = readPath(c, ChatPath);
    const idempotency_key = readIdempotencyKey(c);
    const { size } = await readJson(c, Attachment);
    const upload = await startUpload(c.var.supabaseContext, {
      user_id: userId(c.var.supabaseContext),
      actor: "user",
      bucket: "chat-images",
      name: "attachment",
      content_type: "application/octet-stream",
      size,
      chat_id,
      idempotency_key,
    });
    return answer(c, upload, 201);
  });
}

/**
 * The route of attachments for the OpenAPI document of `chats`.
 *
 * @module
 */

import * as z from "zod/mini";

import type { RouteDescription } from "../_openapi/document.ts";
import { id } from "../_shared/schema.ts";
import { Attachment } from "./attachments.ts";
import { ChatPath } from "./schema.ts";

const Upload = z.object({
  id,
  bucket: z.literal("chat-images"),
  path: z.string(),
  upload_path: z.string(),
  content_type: z.string(),
  token: z.string(),
  url: z.url(),
  expires_at: z.iso.datetime(),
});

/** Describes `POST /chats/{id}/attachments`. */
export function describeAttachmentRoute(): RouteDescription {
  return {
    method: "post",
    path: "/{id}/attachments",
    summary: "Reserve the upload of an attachment",
    description:
      "Reserves `{user}/{chat}/{id}` in `chat-images`, for an envelope of the part `attachment/{id}`. Upload it to `url`, " +
      "then call `POST /files/uploads/{id}/complete`. The attachment is deleted with its chat.",
    auth: ["user"],
    idempotent: true,
    stores: true,
    storage: true,
    params: ChatPath,
    body: Attachment,
    response: {
      status: 201,
      description: "The reservation and the URL to upload to",
      schema: Upload,
    },
    problems: {
      404: ["chat_not_found", "user_not_found"],
      409: ["upload_already_complete", "upload_expired"],
      413: ["file_too_large", "storage_quota_exceeded"],
      422: ["invalid_size"],
      429: ["too_many_uploads"],
    },
  };
}

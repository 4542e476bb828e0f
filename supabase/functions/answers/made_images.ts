/**
 * Stores the images that models make, as files of the user: they count against the quota.
 *
 * @module
 */

import { Buffer } from "node:buffer";

import { adminClient } from "../_shared/clients.ts";
import { isOfType } from "../_shared/file_content.ts";
import { Problem } from "../_shared/problem.ts";
import { call, nullable } from "../_shared/rpc.ts";
import { fromStorage } from "../_storage/errors.ts";
import { startUpload } from "../_storage/uploads.ts";
import { IMAGES } from "./file_kinds.ts";
import type { Part } from "./pieces.ts";

/** Where the images are stored: the bucket for what users attach to messages. */
const BUCKET = "chat_attachments";

/**
 * Stores an image.
 *
 * @param user_id Its user.
 * @param url The data URL that the model has sent.
 * @returns The part of the message: a file with its place in Storage.
 * @throws {Problem} if the image is refused: its code says why.
 */
export async function storeImage(user_id: string, url: string): Promise<Part> {
  const { type, bytes } = await read(url);
  const supabaseAdmin = adminClient();
  const upload = await startUpload({ supabase: supabaseAdmin, supabaseAdmin }, {
    user_id,
    actor: "service",
    bucket: BUCKET,
    name: `image.${type.split("/")[1]}`,
    size: bytes.length,
    content_type: type,
  });
  const { id: upload_id, upload_path, token } = upload;
  const { error } = await supabaseAdmin.storage.from(BUCKET)
    .uploadToSignedUrl(upload_path, token, new Blob([bytes], { type }));
  if (error) {
    await call(() => supabaseAdmin.rpc("release_upload", { user_id, upload_id }));
    throw fromStorage(error);
  }
  const stored = await call(() => supabaseAdmin.rpc("get_upload", { user_id, upload_id }));
  await call(() =>
    supabaseAdmin.rpc("complete_upload", { user_id, upload_id, version: nullable(stored.version) })
  );
  return { type: "file", mediaType: type, url: `storage://${BUCKET}/${upload.path}` };
}

async function read(url: string): Promise<{ type: string; bytes: Uint8Array<ArrayBuffer> }> {
  const [, type = "", data = ""] = url.match(/^data:([\w/+.-]+);base64,([\w+/=\s-]*)$/) ?? [];
  const bytes = new Uint8Array(Buffer.from(data, "base64"));
  if (!IMAGES.includes(type) || !(await isOfType(bytes.subarray(0, 4100), type)).ok) {
    throw new Problem(
      422,
      "file_type_not_supported",
      "The model sent something that is not a PNG, JPEG, WebP or GIF image",
    );
  }
  return { type, bytes };
}

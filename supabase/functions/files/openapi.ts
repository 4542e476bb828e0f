/**
 * The routes of `files` for its OpenAPI document.
 *
 * @module
 */

import * as z from "zod/mini";

import { describeFunction } from "../_openapi/document.ts";
import { id } from "../_shared/schema.ts";
import * as schema from "./schema.ts";

const Upload = z.object({
  id,
  bucket: z.string(),
  path: z.string(),
  upload_path: z.string(),
  content_type: z.string(),
  token: z.string(),
  url: z.url(),
  expires_at: z.iso.datetime(),
});
z.globalRegistry.add(Upload, { id: "Upload" });

const File = z.object({
  id,
  bucket: z.string(),
  path: z.string(),
  name: z.string(),
  size: z.int(),
  content_type: z.string(),
  project_id: z.nullable(id),
  chat_id: z.nullable(id),
});
z.globalRegistry.add(File, { id: "File" });

const Downloads = z.object({
  urls: z.array(z.object({ path: z.string(), url: z.url() })),
  refused: z.array(z.object({ path: z.string(), reason: z.string() })),
  expires_at: z.iso.datetime(),
});

const Deleted = z.object({ deleted: z.array(z.string()), not_found: z.array(z.string()) });

const amounts = { used: z.int(), reserved: z.int() };
const Usage = z.object({
  ...amounts,
  allowed: z.int(),
  buckets: z.array(z.object({ bucket: z.string(), ...amounts, allowed: z.nullable(z.int()) })),
});

/** The OpenAPI document of `files`. */
export const document: unknown = describeFunction({
  name: "files",
  summary: "Uploads with rules and quotas, downloads, and deletion.",
  routes: [
    {
      method: "post",
      path: "/uploads",
      summary: "Reserve an upload",
      description:
        "Checks the bucket's rules and reserves the bytes. Then PUT the file to `url`, or call " +
        "`uploadToSignedUrl(upload_path, token, file)` of supabase-js, and complete the upload.",
      auth: ["user", "secret"],
      permission: "files:write",
      idempotent: true,
      stores: true,
      storage: true,
      body: z.union([schema.UserUpload, schema.ServiceUpload]),
      response: {
        status: 201,
        description: "The reservation and the URL to upload to",
        schema: Upload,
      },
      problems: {
        403: ["project_read_only", "not_project_owner"],
        404: ["bucket_not_found", "project_not_found", "chat_not_found", "user_not_found"],
        409: ["project_deleted", "project_cloning", "upload_already_complete", "upload_expired"],
        413: ["file_too_large", "storage_quota_exceeded"],
        422: [
          "invalid_name",
          "invalid_size",
          "invalid_content_type",
          "content_type_not_allowed",
          "chat_required",
        ],
        429: ["too_many_uploads"],
      },
    },
    {
      method: "post",
      path: "/uploads/{id}/complete",
      summary: "Complete an upload",
      description:
        "Checks that the stored object has the declared size, type and first bytes. If not, it is refused, and kept for a " +
        "day with the reason. A signed-in user needs no body. Repeating the request returns the same file or refusal.",
      auth: ["user", "secret"],
      permission: "files:write",
      storage: true,
      params: schema.UploadPath,
      body: z.union([schema.UserCompletion, schema.ServiceCompletion]),
      response: { status: 200, description: "The file", schema: File },
      problems: {
        404: ["upload_not_found"],
        409: ["upload_missing", "upload_expired", "upload_changed"],
        422: ["upload_rejected"],
      },
    },
    {
      method: "post",
      path: "/downloads",
      summary: "Sign downloads",
      description:
        "Signs up to 1000 paths of one bucket. Paths that the user may not read by Storage's policies are listed in " +
        "`refused` and do not affect the others. `download` is the name that a browser saves the file under; true stands " +
        "for the name with which the file was reserved.",
      auth: ["user"],
      storage: true,
      body: schema.Downloads,
      response: { status: 200, description: "The URLs", schema: Downloads },
      problems: { 404: ["bucket_not_found"], 422: ["expiry_too_long"] },
    },
    {
      method: "delete",
      path: "",
      summary: "Delete files",
      description:
        "Deletes up to 1000 of the user's own paths in one bucket: the records that refer to them, and the objects. A " +
        "pending upload is cancelled.",
      auth: ["user", "secret"],
      permission: "files:write",
      body: z.union([schema.UserDeletion, schema.ServiceDeletion]),
      response: {
        status: 200,
        description: "The deleted paths, and those that do not exist",
        schema: Deleted,
      },
      problems: { 404: ["bucket_not_found"] },
    },
    {
      method: "get",
      path: "/usage",
      summary: "The user's storage usage",
      description: "Returns the stored, reserved and allowed bytes, in total and for each bucket.",
      auth: ["user", "secret"],
      permission: "files:read",
      query: z.partial(schema.ServiceUsage),
      response: { status: 200, description: "The usage", schema: Usage },
      problems: { 422: ["invalid_request"] },
    },
  ],
});

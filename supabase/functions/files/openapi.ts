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
  summary: "Uploads by rules and quotas, downloads, and deletion.",
  routes: [
    {
      method: "post",
      path: "/uploads",
      summary: "Reserve an upload",
      description:
        "Checks the bucket's rules and sets the bytes aside. Then the file goes to `url` by PUT, or with supabase-js by " +
        "`uploadToSignedUrl(upload_path, token, file)`, and is completed.",
      auth: ["user", "secret"],
      idempotent: true,
      storage: true,
      body: z.union([schema.UserUpload, schema.ServiceUpload]),
      response: { status: 201, description: "Where the bytes go", schema: Upload },
      problems: {
        403: ["project_read_only", "not_project_owner"],
        404: ["bucket_not_found", "project_not_found", "chat_not_found", "user_not_found"],
        409: ["project_deleted", "upload_already_complete", "upload_expired"],
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
        "Looks at what was stored: its size, its type and its first bytes are as declared, or it is removed. A signed-in " +
        "user needs no body. Again returns the same.",
      auth: ["user", "secret"],
      storage: true,
      params: schema.UploadPath,
      body: z.union([schema.UserCompletion, schema.ServiceCompletion]),
      response: { status: 200, description: "The file", schema: File },
      problems: {
        404: ["upload_not_found"],
        409: ["upload_missing", "upload_expired"],
        422: ["upload_rejected"],
      },
    },
    {
      method: "post",
      path: "/downloads",
      summary: "Sign downloads",
      description:
        "Of up to 1000 paths of one bucket, those that the user may read by Storage's policies. The others are named, and " +
        "do not fail the rest. `download` is the name that a browser saves the file by.",
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
        "Of up to 1000 paths of one bucket, the user's own: the records that name them, and the objects. An upload that " +
        "is pending is given up.",
      auth: ["user", "secret"],
      body: z.union([schema.UserDeletion, schema.ServiceDeletion]),
      response: {
        status: 200,
        description: "What is deleted, and what there is not",
        schema: Deleted,
      },
      problems: { 404: ["bucket_not_found"] },
    },
    {
      method: "get",
      path: "/usage",
      summary: "What is stored, reserved and allowed",
      description: "In bytes, in all buckets and in each.",
      auth: ["user", "secret"],
      query: z.partial(schema.ServiceUsage),
      response: { status: 200, description: "The usage", schema: Usage },
      problems: { 422: ["invalid_request"] },
    },
  ],
});

/**
 * Files: reserves and checks uploads, signs downloads, deletes files and reports usage.
 *
 * @module
 */

import type { Context } from "hono";

import { answer } from "../_shared/answer.ts";
import { createApp } from "../_shared/app.ts";
import { authenticate, type AuthenticatedEnv, userId } from "../_shared/auth.ts";
import { Problem } from "../_shared/problem.ts";
import {
  readFor,
  readIdempotencyKey,
  readJson,
  readPath,
  readQueryFor,
} from "../_shared/request.ts";
import { call } from "../_shared/rpc.ts";
import { fromStorage } from "../_storage/errors.ts";
import { removeAfterResponse, removeObjects } from "../_storage/removals.ts";
import { startUpload } from "../_storage/uploads.ts";
import { signDownloads } from "./downloads.ts";
import { type Declared, describe, type Fault, inspect } from "./inspection.ts";
import * as schema from "./schema.ts";

const openapi = () => import("./openapi.json", { with: { type: "json" } });

/** Largest body: 1000 paths of 1024 characters in UTF-8. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** The routes of `files`; `openapi.ts` describes them. */
export const app = createApp("files", openapi, { maxBodyBytes: MAX_BODY_BYTES });

app.post("/uploads", authenticate(["user", "secret"], "files:write"), async (c) => {
  const idempotency_key = readIdempotencyKey(c);
  const body = await readFor(c, schema.UserUpload, schema.ServiceUpload);
  const upload = await startUpload(c.var.supabaseContext, { ...body, idempotency_key });
  return answer(c, upload, 201);
});

app.post("/uploads/:id/complete", authenticate(["user", "secret"], "files:write"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const { id: upload_id } = readPath(c, schema.UploadPath);
  const user_id = await readUser(c);
  const upload = await call(() => supabaseAdmin.rpc("get_upload", { user_id, upload_id }));
  if (upload.status === "complete") return c.json(toFile(upload));
  if (upload.status === "refused") throw rejected(upload.refusal as unknown as Fault);

  // The generated types allow null here, but SQL always sets these columns.
  const declared = upload as Declared;
  const { bucket, path, upload_path, version } = declared;
  const fault = await inspect(supabaseAdmin, declared);
  if (fault) {
    await call(() =>
      supabaseAdmin.rpc("refuse_upload", { user_id, upload_id, refusal: { ...fault } })
    );
    throw rejected(fault);
  }
  if (path !== upload_path) {
    await call(() => supabaseAdmin.rpc("verify_upload", { user_id, upload_id, version }));
    const { error } = await supabaseAdmin.storage.from(bucket)
      .setHeader("x-upsert", "true").copy(upload_path, path);
    if (error) throw fromStorage(error);
  }
  const completed = await call(() =>
    supabaseAdmin.rpc("complete_upload", { user_id, upload_id, version })
  );
  if (path !== upload_path) removeAfterResponse(supabaseAdmin);
  return c.json(toFile(completed));
});

app.post("/downloads", authenticate("user"), async (c) => {
  const { supabase, supabaseAdmin } = c.var.supabaseContext;
  return c.json(
    await signDownloads(supabase, supabaseAdmin, await readJson(c, schema.Downloads)),
  );
});

app.delete("/", authenticate(["user", "secret"], "files:write"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const { user_id, bucket, paths } = await readFor(
    c,
    schema.UserDeletion,
    schema.ServiceDeletion,
  );
  const found = await call(() => supabaseAdmin.rpc("delete_files", { user_id, bucket, paths }));
  const stored = found.filter((file) => file.stored).map((file) => file.path);
  await removeObjects(supabaseAdmin, bucket, stored);
  const deleted = new Set(found.map((file) => file.path));
  return c.json({
    deleted: [...deleted],
    not_found: [...new Set(paths)].filter((path) => !deleted.has(path)),
  });
});

app.get("/usage", authenticate(["user", "secret"], "files:read"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const { user_id } = readQueryFor(c, schema.UserUsage, schema.ServiceUsage);
  const usage = await call(() => supabaseAdmin.rpc("get_storage_usage", { user_id }));
  const [total, ...buckets] = usage;
  return c.json({ ...total, bucket: undefined, buckets });
});

/** The user whose upload is completed. A signed-in user needs no body. */
async function readUser(c: Context<AuthenticatedEnv>): Promise<string> {
  const isEmpty = (await c.req.arrayBuffer()).byteLength === 0;
  return isEmpty && c.var.supabaseContext.authMode === "user"
    ? userId(c.var.supabaseContext)
    : (await readFor(c, schema.UserCompletion, schema.ServiceCompletion)).user_id;
}

/** 422: the file is not as declared. Its record and its object stay for a day, so that the user can see why. */
function rejected(fault: Fault): Problem {
  return new Problem(422, "upload_rejected", describe(fault), {
    hint: "Reserve another upload, and declare the size and type that the file has",
    fields: { ...fault },
  });
}

/** A completed upload as its user sees it. */
function toFile(upload: Record<string, unknown>) {
  const { id, bucket, path, name, size, content_type, project_id, chat_id } = upload;
  return { id, bucket, path, name, size, content_type, project_id, chat_id };
}

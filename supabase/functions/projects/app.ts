/**
 * Saves messages of projects; clones, deletes and restores projects.
 *
 * @module
 */

import { addMessageRoutes } from "../_messages/routes.ts";
import { answer } from "../_shared/answer.ts";
import { createApp } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import { MESSAGES_BODY_BYTES } from "../_shared/body_limit.ts";
import { readFor, readIdempotencyKey, readPath, readQueryFor } from "../_shared/request.ts";
import { call, defined } from "../_shared/rpc.ts";
import { removeAfterResponse } from "../_storage/removals.ts";
import * as schema from "./schema.ts";

const openapi = () => import("./openapi.json", { with: { type: "json" } });

/** The routes of `projects`; `openapi.ts` describes them. */
export const app = createApp("projects", openapi, {
  maxBodyBytes: MESSAGES_BODY_BYTES,
  acceptsContent: true,
});

addMessageRoutes(app, "project_id");

app.post("/:id/clone", authenticate(["user", "secret"], "projects:write"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const { id: project_id } = readPath(c, schema.ProjectPath);
  const body = await readFor(c, schema.UserClone, schema.ServiceClone);
  const args = defined({ ...body, project_id, idempotency_key });
  const clone = await call(() => supabaseAdmin.rpc("clone_project", args));
  if (clone.status === "complete") return answer(c, clone, 201);
  // Relative to this route, because the function does not know under which address it was called.
  c.header("location", `../clones/${clone.id}`);
  return answer(c, clone, 202);
});

app.get("/clones/:id", authenticate(["user", "secret"], "projects:write"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const { id: clone_id } = readPath(c, schema.ClonePath);
  const { user_id } = readQueryFor(c, schema.UserCloneQuery, schema.ServiceCloneQuery);
  const args = defined({ user_id, clone_id });
  return answer(c, await call(() => supabaseAdmin.rpc("get_project_clone", args)));
});

app.post("/:id/restore", authenticate(["user", "secret"], "projects:write"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const { id: project_id } = readPath(c, schema.ProjectPath);
  const { user_id } = await readFor(c, schema.UserRestore, schema.ServiceRestore);
  return answer(
    c,
    await call(() => supabaseAdmin.rpc("restore_project", { user_id, project_id })),
    200,
  );
});

app.delete("/:id", authenticate(["user", "secret"], "projects:write"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const { id: project_id } = readPath(c, schema.ProjectPath);
  const { permanent, ...who } = readQueryFor(c, schema.UserDelete, schema.ServiceDelete);
  const args = defined({ ...who, project_id, permanent: permanent === "true", idempotency_key });
  const result = await call(() => supabaseAdmin.rpc("delete_project", args));
  if (args.permanent) removeAfterResponse(supabaseAdmin);
  return answer(c, result, 200);
});

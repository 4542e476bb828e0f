/**
 * Encrypted chats: saves them whole or by segments, reads them, and stores the keys that open them. Only the signed-in
 * user has access: servers have no key. Clients read changes with `rpc("sync_chats")`.
 *
 * @module
 */

import { answer } from "../_shared/answer.ts";
import { createApp } from "../_shared/app.ts";
import { authenticate, userId } from "../_shared/auth.ts";
import type { Database } from "../_shared/database.types.ts";
import { Problem } from "../_shared/problem.ts";
import { readIdempotencyKey, readJson, readPath, readQuery, readText } from "../_shared/request.ts";
import { call, defined, nullable, unwrap } from "../_shared/rpc.ts";
import { addApprovalRoutes } from "./approvals.ts";
import { addAttachmentRoute } from "./attachments.ts";
import * as schema from "./schema.ts";

const openapi = () => import("./openapi.json", { with: { type: "json" } });

/** An envelope may have 8 MiB. The other 8 MiB are for escaped quotes, the title and the rest. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** At most 100 wraps, of which the largest has some hundred bytes. */
const MAX_KEYS_BODY_BYTES = 256 * 1024;

/** A message has at most 32 KiB. */
const MAX_APPROVAL_BODY_BYTES = 64 * 1024;

/** The routes of `chats`; `openapi.ts` describes them. */
export const app = createApp("chats", openapi, {
  maxBodyBytes: (path) =>
    path.includes("/chats/keys")
      ? MAX_KEYS_BODY_BYTES
      : path.includes("/chats/approvals")
      ? MAX_APPROVAL_BODY_BYTES
      : MAX_BODY_BYTES,
});

app.get("/keys", authenticate("user"), async (c) => {
  const { supabase } = c.var.supabaseContext;
  return c.json(unwrap(await supabase.rpc("get_chat_keys")));
});

for (
  const [method, path, name] of [
    ["PUT", "/keys", "set_chat_keys"],
    ["POST", "/keys/rotate", "rotate_chat_keys"],
  ] as const
) {
  app.on(method, path, authenticate("user"), async (c) => {
    const { supabaseAdmin } = c.var.supabaseContext;
    const idempotency_key = readIdempotencyKey(c);
    const user_id = userId(c.var.supabaseContext);
    const args = defined({ ...await readJson(c, schema.Keys), user_id, idempotency_key });
    return answer(c, await call(() => supabaseAdmin.rpc(name, args)));
  });
}

app.get("/keys/replaced", authenticate("user"), async (c) => {
  const { supabase } = c.var.supabaseContext;
  return c.json({ keys: unwrap(await supabase.rpc("get_replaced_chat_keys")) });
});

app.get("/keys/replaced/:id", authenticate("user"), async (c) => {
  const { supabaseAdmin, jwtClaims } = c.var.supabaseContext;
  const session = jwtClaims?.session_id;
  const args = {
    user_id: userId(c.var.supabaseContext),
    session_id: nullable(typeof session === "string" ? session : null),
    ...readPath(c, schema.ReplacedPath),
  };
  return c.json(await call(() => supabaseAdmin.rpc("read_replaced_chat_key", args)));
});

app.delete("/keys/devices/:device_id", authenticate("user"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const user_id = userId(c.var.supabaseContext);
  const args = { user_id, ...readPath(c, schema.DevicePath) };
  return answer(c, await call(() => supabaseAdmin.rpc("revoke_chat_device", args)));
});

addApprovalRoutes(app);

app.put("/history", authenticate("user"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const args = { user_id: userId(c.var.supabaseContext), ...await readJson(c, schema.SetHistory) };
  return answer(c, await call(() => supabaseAdmin.rpc("set_chat_history", args)));
});

app.get("/:id", authenticate("user"), async (c) => {
  const { supabase } = c.var.supabaseContext;
  const { id: chat_id } = readPath(c, schema.ChatPath);
  const { from_segment, known_data_version } = readQuery(c, schema.ReadQuery);
  const args = defined({
    chat_id,
    from_segment: numberOf(from_segment),
    known_data_version: numberOf(known_data_version),
  });
  return c.json(unwrap(await supabase.rpc("get_chat", args)));
});

for (const [method, body] of [["PUT", schema.Save], ["PATCH", schema.Change]] as const) {
  app.on(method, "/:id", authenticate("user"), async (c) => {
    const { supabaseAdmin } = c.var.supabaseContext;
    const idempotency_key = readIdempotencyKey(c);
    const { id: chat_id } = readPath(c, schema.ChatPath);
    const user_id = userId(c.var.supabaseContext);
    const args = defined({ ...await readJson(c, body), user_id, chat_id, idempotency_key });
    const saved = withoutConflict(await call(() => supabaseAdmin.rpc("save_chat", args)));
    return answer(c, saved, saved.version === 1 ? 201 : 200);
  });
}

app.post("/:id/segments", authenticate("user"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const { id: chat_id } = readPath(c, schema.ChatPath);
  const user_id = userId(c.var.supabaseContext);
  const args = defined({ ...await readJson(c, schema.Segment), user_id, chat_id, idempotency_key });
  const saved = await call(() => supabaseAdmin.rpc("append_chat_segment", args));
  return answer(c, withoutConflict(saved), 201);
});

addAttachmentRoute(app);

app.delete("/:id", authenticate("user"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const { id: chat_id } = readPath(c, schema.ChatPath);
  const expected_version = numberOf(readQuery(c, schema.DeleteQuery).expected_version);
  const { history } = await readText(c) === "" ? {} : await readJson(c, schema.Deletion);
  const user_id = userId(c.var.supabaseContext);
  const args = defined({ user_id, chat_id, expected_version, history });
  const saved = withoutConflict(await call(() => supabaseAdmin.rpc("delete_chat", args)));
  const proven = history && { proven: !saved.replayed };
  const deletion = { id: saved.id, deleted: true, ...proven, replayed: saved.replayed };
  return answer(c, deletion);
});

type SavedChat = Database["public"]["CompositeTypes"]["saved_chat"];

/**
 * The result of a change, without the members of a conflict.
 *
 * @throws {Problem} 409 `version_conflict` with the stored chat, if the change was not made.
 */
function withoutConflict({ conflict, ...saved }: SavedChat): Omit<SavedChat, "conflict"> {
  if (conflict === null) return saved;
  throw new Problem(
    409,
    "version_conflict",
    `The chat is at version ${saved.version}, not at the expected version`,
    {
      hint: "Read the chat, apply your change to its current version and send it again",
      fields: { version: saved.version, chat: conflict },
    },
  );
}

function numberOf(digits: string | undefined): number | undefined {
  return digits === undefined ? undefined : Number(digits);
}

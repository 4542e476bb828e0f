/**
 * The API keys of the signed-in user. A key cannot manage keys: only a session can.
 *
 * @module
 */

import { createKey } from "../_shared/api_keys.ts";
import { createApp } from "../_shared/app.ts";
import { authenticate, userId } from "../_shared/auth.ts";
import { Problem } from "../_shared/problem.ts";
import { readJson, readPath } from "../_shared/request.ts";
import { call, defined, unwrap } from "../_shared/rpc.ts";
import * as schema from "./schema.ts";

const openapi = () => import("./openapi.json", { with: { type: "json" } });

/** What a user sees of a key later. */
const SHOWN =
  "id, name, key_prefix, permissions, is_active, last_used_at, expires_at, created_at, updated_at";

/** The routes of `keys`; `openapi.ts` describes them. */
export const app = createApp("keys", openapi);

app.get("/", authenticate("user"), async (c) => {
  const { supabase } = c.var.supabaseContext;
  const keys = unwrap(
    await supabase.from("api_keys").select(SHOWN).order("created_at").order("id"),
  );
  return c.json({ keys });
});

app.post("/", authenticate("user"), async (c) => {
  const { supabaseContext } = c.var;
  const { name, permissions, expires_at } = await readJson(c, schema.NewKey);
  const { key, ...stored } = await createKey();
  const args = defined({
    user_id: userId(supabaseContext),
    name,
    permissions,
    expires_at: expires_at ?? undefined,
    ...stored,
  });
  const created = await call(() => supabaseContext.supabaseAdmin.rpc("create_api_key", args));
  return c.json({ ...created as Record<string, unknown>, key }, 201);
});

app.patch("/:id", authenticate("user"), async (c) => {
  const { supabase } = c.var.supabaseContext;
  const { id } = readPath(c, schema.KeyPath);
  const change = defined(await readJson(c, schema.KeyChange));
  const [key] = unwrap(await supabase.from("api_keys").update(change).eq("id", id).select(SHOWN));
  if (!key) throw notFound(id);
  return c.json(key);
});

app.delete("/:id", authenticate("user"), async (c) => {
  const { supabase } = c.var.supabaseContext;
  const { id } = readPath(c, schema.KeyPath);
  const [key] = unwrap(await supabase.from("api_keys").delete().eq("id", id).select(SHOWN));
  if (!key) throw notFound(id);
  return c.json(key);
});

function notFound(id: string): Problem {
  return new Problem(404, "key_not_found", `You have no API key "${id}"`);
}

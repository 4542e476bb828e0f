/**
 * The way out for a user: an export of all that is theirs, and the deletion of the account. An API key cannot do
 * either: only a session can.
 *
 * @module
 */

import { createApp } from "../_shared/app.ts";
import { authenticate, userId } from "../_shared/auth.ts";
import { readQuery } from "../_shared/request.ts";
import { call, nullable, unwrap } from "../_shared/rpc.ts";
import { describeParts } from "./parts.ts";
import * as schema from "./schema.ts";

const openapi = () => import("./openapi.json", { with: { type: "json" } });

/** Where the state of an export is. */
const EXPORT = "/functions/v1/account/export";

/** The routes of `account`; `openapi.ts` describes them. */
export const app = createApp("account", openapi);

app.post("/export", authenticate("user"), async (c) => {
  const { supabaseContext } = c.var;
  const user_id = userId(supabaseContext);
  const { url_seconds: _, ...started } = await call(() =>
    supabaseContext.supabaseAdmin.rpc("start_account_export", { user_id })
  );
  return c.json(started, 202, { location: EXPORT });
});

app.get("/export", authenticate("user"), async (c) => {
  const { supabaseContext } = c.var;
  const { after, limit } = readQuery(c, schema.PartsQuery);
  return c.json(await describeParts(supabaseContext, Number(after ?? 0), Number(limit ?? 100)));
});

app.delete("/export", authenticate("user"), async (c) => {
  const { supabaseContext } = c.var;
  const user_id = userId(supabaseContext);
  const { url_seconds: _, ...removed } = await call(() =>
    supabaseContext.supabaseAdmin.rpc("remove_account_export", { user_id })
  );
  return c.json(removed);
});

app.get("/", authenticate("user"), async (c) => {
  const { supabaseContext } = c.var;
  const args = { user_id: userId(supabaseContext) };
  return c.json(unwrap(await supabaseContext.supabaseAdmin.rpc("get_account_deletion", args)));
});

app.delete("/", authenticate("user"), async (c) => {
  const { supabaseContext } = c.var;
  const session = supabaseContext.jwtClaims?.session_id;
  const args = {
    user_id: userId(supabaseContext),
    session_id: nullable(typeof session === "string" ? session : null),
  };
  const deletion = await call(() =>
    supabaseContext.supabaseAdmin.rpc("request_account_deletion", args)
  );
  return c.json(deletion, 202);
});

app.post("/restore", authenticate("user"), async (c) => {
  const { supabaseContext } = c.var;
  const args = { user_id: userId(supabaseContext) };
  return c.json(
    await call(() => supabaseContext.supabaseAdmin.rpc("cancel_account_deletion", args)),
  );
});

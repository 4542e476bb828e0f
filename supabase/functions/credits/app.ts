/**
 * Credits: the balance of a user, and charges against it.
 *
 * @module
 */

import { createApp } from "../_shared/app.ts";
import { authenticate, userId } from "../_shared/auth.ts";
import { Problem } from "../_shared/problem.ts";
import { readIdempotencyKey, readJson, readQuery } from "../_shared/request.ts";
import { defined, unwrap } from "../_shared/rpc.ts";
import openapi from "./openapi.json" with { type: "json" };
import {
  ServiceBalanceQuery,
  ServiceDeduction,
  UserBalanceQuery,
  UserDeduction,
} from "./schema.ts";

/** The routes of `credits`; `openapi.ts` describes them. */
export const app = createApp("credits", openapi);

app.get("/", authenticate(["user", "secret"]), async (c) => {
  const { authMode, supabase, supabaseAdmin } = c.var.supabaseContext;
  if (authMode === "user") {
    readQuery(c, UserBalanceQuery);
    return c.json(unwrap(await supabase.from("user_credits").select().single()));
  }
  const { user_id } = readQuery(c, ServiceBalanceQuery);
  const [credits] = unwrap(
    await supabaseAdmin.from("user_credits").select().eq("user_id", user_id),
  );
  if (!credits) {
    throw new Problem(404, "account_not_found", `User "${user_id}" has no credit account`);
  }
  return c.json(credits);
});

app.post("/deduct", authenticate(["user", "secret"]), async (c) => {
  const context = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const charge = context.authMode === "user"
    ? { ...await readJson(c, UserDeduction), user_id: userId(context), actor: "user" }
    : { ...await readJson(c, ServiceDeduction), actor: "service" };
  const { replayed, ...entry } = unwrap(
    await context.supabaseAdmin.rpc("deduct_credits", defined({ ...charge, idempotency_key })),
  );
  if (replayed) c.header("idempotent-replayed", "true");
  return c.json(entry);
});

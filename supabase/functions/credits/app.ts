/**
 * Credits of users and teams: balances, charges, holds, refunds and grants.
 *
 * @module
 */

import { answer } from "../_shared/answer.ts";
import { createApp } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import { Problem } from "../_shared/problem.ts";
import {
  readFor,
  readIdempotencyKey,
  readJson,
  readPath,
  readQueryFor,
} from "../_shared/request.ts";
import { call, defined, nullable, unwrap } from "../_shared/rpc.ts";
import { readUnitBalance } from "./balance.ts";
import * as schema from "./schema.ts";

const openapi = () => import("./openapi.json", { with: { type: "json" } });

/** The routes of `credits`; `openapi.ts` describes them. */
export const app = createApp("credits", openapi, { acceptsContent: true });

app.get("/", authenticate(["user", "secret"], "credits:read"), async (c) => {
  const { supabaseContext } = c.var;
  const { user_id = "", team_id, unit, actor } = readQueryFor(
    c,
    schema.UserBalanceQuery,
    schema.ServiceBalanceQuery,
  );
  const bySession = actor === "user" && supabaseContext.jwtClaims;
  const client = bySession ? supabaseContext.supabase : supabaseContext.supabaseAdmin;
  // An API key has no session that the policies of the team's account could go by.
  const memberships = actor === "user" && !bySession && team_id !== undefined
    ? unwrap(await client.from("team_members").select("team_id").match({ team_id, user_id }))
    : [team_id];
  const [credits] = memberships.length === 0
    ? []
    : unit !== undefined
    ? [await readUnitBalance(client, team_id === undefined ? { user_id } : { team_id }, unit)]
    : team_id === undefined
    ? unwrap(await client.from("user_credits").select().eq("user_id", user_id))
    : unwrap(await client.from("team_credits").select().eq("team_id", team_id));
  if (!credits) {
    const owner = team_id === undefined ? `User "${user_id}"` : `Team "${team_id}"`;
    throw new Problem(404, "account_not_found", `${owner} has no credit account`);
  }
  return c.json(credits);
});

app.post("/quote", authenticate(["user", "secret"], "credits:read"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const { actor: _, ...quote } = await readFor(c, schema.UserQuote, schema.ServiceQuote);
  return c.json(await call(() => supabaseAdmin.rpc("quote_credits", defined(quote))));
});

app.post("/deduct", authenticate(["user", "secret"], "credits:write"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const charge = await readFor(c, schema.UserDeduction, schema.ServiceDeduction);
  const args = defined({ ...charge, idempotency_key });
  return answer(c, await call(() => supabaseAdmin.rpc("deduct_credits", args)));
});

app.post("/grants", authenticate("secret"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const args = defined({ ...await readJson(c, schema.Grant), idempotency_key });
  return answer(c, await call(() => supabaseAdmin.rpc("grant_credits", args)), 201);
});

app.post("/grants/:id/void", authenticate("secret"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const { id: grant_id } = readPath(c, schema.IdPath);
  const args = defined({ grant_id, ...await readJson(c, schema.Void), idempotency_key });
  return answer(c, await call(() => supabaseAdmin.rpc("void_credit_grant", args)));
});

app.post("/holds", authenticate("secret"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const args = defined({ ...await readJson(c, schema.Hold), idempotency_key });
  return answer(c, await call(() => supabaseAdmin.rpc("hold_credits", args)), 201);
});

app.post("/holds/:id/capture", authenticate("secret"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const { id: hold_id } = readPath(c, schema.IdPath);
  const args = defined({ hold_id, ...await readJson(c, schema.Capture), idempotency_key });
  return answer(c, await call(() => supabaseAdmin.rpc("capture_credit_hold", args)));
});

app.post("/holds/:id/release", authenticate("secret"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const { id: hold_id } = readPath(c, schema.IdPath);
  await readJson(c, schema.Release);
  const args = defined({ hold_id, idempotency_key });
  return answer(c, await call(() => supabaseAdmin.rpc("release_credit_hold", args)));
});

app.post("/refunds", authenticate("secret"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const args = defined({ ...await readJson(c, schema.Refund), idempotency_key });
  return answer(c, await call(() => supabaseAdmin.rpc("refund_credits", args)));
});

app.post("/transfers", authenticate(["user", "secret"]), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const transfer = await readFor(c, schema.UserTransfer, schema.ServiceTransfer);
  const own = transfer.actor === "user" && transfer.from_team_id === undefined;
  const args = defined({
    ...transfer,
    from_user_id: own ? transfer.user_id : transfer.from_user_id,
    idempotency_key,
  });
  return answer(c, await call(() => supabaseAdmin.rpc("transfer_credits", args)));
});

app.put("/overdraft", authenticate("secret"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const args = defined({ ...await readJson(c, schema.Overdraft), idempotency_key });
  return answer(c, await call(() => supabaseAdmin.rpc("set_credit_overdraft", args)));
});

app.put("/alert", authenticate(["user", "secret"]), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const alert = await readFor(c, schema.UserAlert, schema.ServiceAlert);
  const args = defined({ ...alert, threshold: nullable(alert.threshold), idempotency_key });
  return answer(c, await call(() => supabaseAdmin.rpc("set_credit_alert", args)));
});

app.get("/statement", authenticate(["user", "secret"], "credits:read"), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const query = readQueryFor(c, schema.UserStatementQuery, schema.ServiceStatementQuery);
  // Loaded on use, so that a charge does not pay for it at a cold start.
  const { answerStatement } = await import("./statement.ts");
  return answerStatement(c, supabaseAdmin, query);
});

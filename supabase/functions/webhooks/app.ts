/**
 * Webhooks: what other services tell of. Each route verifies for itself who sent the request; SQL takes the event in and
 * applies its effect, once.
 *
 * @module
 */

import type { Context } from "hono";
import { createAdminClient } from "@supabase/server/core";
import type { SupabaseClient } from "@supabase/supabase-js";

import { afterResponse } from "../_shared/after_response.ts";
import { createApp } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import type { Database } from "../_shared/database.types.ts";
import { Problem, renderProblem } from "../_shared/problem.ts";
import { readJson, readPath } from "../_shared/request.ts";
import { call, DATABASE_TIMEOUT_MS, defined, unwrap } from "../_shared/rpc.ts";
import { readDatabaseWebhook } from "./database.ts";
import type { Delivery } from "./delivery.ts";
import * as schema from "./schema.ts";
import { standardSecrets } from "./secrets.ts";
import { readAuthHook, readStandardDelivery } from "./standard.ts";
import { readStripeDelivery } from "./stripe.ts";

const openapi = () => import("./openapi.json", { with: { type: "json" } });

type Receipt = Database["public"]["CompositeTypes"]["webhook_receipt"];

/** When a sender that reads it is to try again. */
const RETRY_AFTER_S = 5;

/** The routes of `webhooks`; `openapi.ts` describes them. */
export const app = createApp("webhooks", openapi);

app.onError((error, c) => {
  const provider = providerOf(c);
  if (provider && error instanceof Problem && error.status < 500) {
    afterResponse(countRefusal(provider, error.code));
  }
  return renderProblem(error, c);
});

app.post("/stripe", async (c) => answerReceipt(c, await receive(await readStripeDelivery(c))));

app.post("/standard/:source", async (c) => {
  const { source } = readPath(c, schema.SourcePath);
  return answerReceipt(c, await receive(await readStandardDelivery(c, source)));
});

app.post("/database", async (c) => {
  const payload = await readDatabaseWebhook(c);
  return answerReceipt(c, await call(() => admin().rpc("receive_database_webhook", { payload })));
});

app.post("/auth", async (c) => {
  const { outcome, result, ...receipt } = await receive(await readAuthHook(c));
  // Auth reads an answer only of status 200, a refusal too. What it cannot be answered is not let in.
  if (outcome !== "processed") throw effectFailed(receipt);
  return c.json(result);
});

app.post("/replay", authenticate("secret"), async (c) => {
  const args = defined(await readJson(c, schema.Replay));
  const { supabaseAdmin } = c.var.supabaseContext;
  return c.json(await call(() => supabaseAdmin.rpc("replay_webhook_events", args)));
});

let client: SupabaseClient<Database> | undefined;

/** There is no caller to act for: who sent it is known by the signature alone. */
function admin(): SupabaseClient<Database> {
  return client ??= createAdminClient<Database>({
    supabaseOptions: { db: { timeout: DATABASE_TIMEOUT_MS } },
  });
}

function receive(delivery: Delivery): Promise<Receipt> {
  return call(() => admin().rpc("receive_webhook_event", { ...delivery }));
}

function answerReceipt(c: Context, receipt: Receipt): Response {
  const { id, outcome, replayed } = receipt;
  if (outcome === "failed") throw effectFailed(receipt);
  return c.json({ id, outcome, replayed });
}

/** Answered so that the sender repeats it; why it failed is for the operator to read, not for the sender. */
function effectFailed(
  { id, attempts, error }: Pick<Receipt, "id" | "attempts" | "error">,
): Problem {
  return new Problem(503, "webhook_effect_failed", "The event is kept, but its effect has failed", {
    hint: "Send it again; what it failed with is in webhook_events",
    fields: { id, attempts },
    headers: { "retry-after": String(RETRY_AFTER_S) },
    cause: error,
  });
}

/** Whose delivery a request is, as far as that is one of the providers that are set up. */
function providerOf(c: Context): string | undefined {
  const [, , provider = "", source = ""] = c.req.path.split("/");
  if (["stripe", "auth", "database"].includes(provider) && !source) return provider;
  if (provider !== "standard") return undefined;
  try {
    return schema.SOURCE.test(source) && standardSecrets(source)
      ? `standard:${source}`
      : "standard";
  } catch {
    return "standard";
  }
}

async function countRefusal(provider: string, reason: string): Promise<void> {
  const { error, status } = await admin().rpc("count_webhook_refusal", { provider, reason });
  if (error) unwrap({ data: null, error, status });
}

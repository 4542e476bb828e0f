/**
 * Webhooks: receives events from other services. Each sender's route verifies who sent the request; SQL stores the
 * event and applies its effect once.
 *
 * @module
 */

import { afterResponse } from "../_shared/after_response.ts";
import { createApp } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import { Problem, renderProblem } from "../_shared/problem.ts";
import { readJson } from "../_shared/request.ts";
import { call, defined } from "../_shared/rpc.ts";
import { countRefusal } from "./inbox.ts";
import * as schema from "./schema.ts";
import { providerOf, SENDERS } from "./senders.ts";

const openapi = () => import("./openapi.json", { with: { type: "json" } });

/** The routes of `webhooks`; `openapi.ts` describes them. */
export const app = createApp("webhooks", openapi);

app.onError((error, c) => {
  const provider = providerOf(c.req.path);
  if (provider && error instanceof Problem && error.status < 500) {
    afterResponse(countRefusal(provider, error.code));
  }
  return renderProblem(error, c);
});

for (const { path, receive, answer } of Object.values(SENDERS)) {
  app.post(path, async (c) => answer(c, await receive(c)));
}

app.post("/replay", authenticate("secret"), async (c) => {
  const args = defined(await readJson(c, schema.Replay));
  const { supabaseAdmin } = c.var.supabaseContext;
  return c.json(await call(() => supabaseAdmin.rpc("replay_webhook_events", args)));
});

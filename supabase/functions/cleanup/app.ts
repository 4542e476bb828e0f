/**
 * Cleanup: deletes expired data in small batches. For the scheduler, which has the secret key named `cron`, unless
 * `CLEANUP_KEY_NAME` names another one.
 *
 * @module
 */

import { createApp } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import { cleanupKeyName } from "../_shared/env.ts";
import { readJson, readQuery } from "../_shared/request.ts";
import { defined, unwrap } from "../_shared/rpc.ts";
import { preview } from "./preview.ts";
import { runJobs } from "./run.ts";
import * as schema from "./schema.ts";

const openapi = () => import("./openapi.json", { with: { type: "json" } });

const asCron = authenticate(`secret:${cleanupKeyName()}`);

/** The routes of `cleanup`; `openapi.ts` describes them. */
export const app = createApp("cleanup", openapi);

app.post("/", asCron, async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const { jobs, dry_run = false, max_seconds = schema.DEFAULT_SECONDS } = await readJson(
    c,
    schema.Cleanup,
  );
  const due = unwrap(await supabaseAdmin.rpc("due_cleanup_jobs", defined({ jobs })));
  const results = dry_run
    ? await preview(supabaseAdmin, due)
    : await runJobs(supabaseAdmin, due, { seconds: max_seconds, requestId: c.get("requestId") });
  return c.json({ dry_run, jobs: results });
});

app.get("/", asCron, async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  return c.json({ jobs: unwrap(await supabaseAdmin.rpc("cleanup_health")) });
});

app.get("/runs", asCron, async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const { job, before, limit } = readQuery(c, schema.RunsQuery);
  const page_size = Number(limit ?? 50);
  const args = defined({
    job,
    before: before === undefined ? undefined : Number(before),
    page_size,
  });
  const runs = unwrap(await supabaseAdmin.rpc("cleanup_runs", args));
  return c.json({
    runs: runs.map(({ job_name, ...run }) => ({ ...run, job: job_name })),
    next_before: runs.length === page_size ? runs.at(-1)?.id : null,
  });
});

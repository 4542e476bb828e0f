/**
 * The routes of `cleanup` for its OpenAPI document.
 *
 * @module
 */

import * as z from "zod/mini";

import { describeFunction } from "../_openapi/document.ts";
import * as schema from "./schema.ts";

const Result = z.object({
  job: z.string(),
  outcome: z.enum(["done", "more", "leased", "disabled", "failed", "due"]),
  rows: z.int(),
  bytes: z.int(),
  batches: z.optional(z.int()),
  run_id: z.optional(z.nullable(z.int())),
  error: z.optional(z.string()),
  report: z.optional(z.array(z.unknown())),
});
z.globalRegistry.add(Result, { id: "CleanupResult" });

const Run = z.object({
  id: z.int(),
  job: z.string(),
  started_at: z.string(),
  ended_at: z.nullable(z.string()),
  outcome: z.enum(["running", "done", "more", "failed", "interrupted"]),
  batches: z.int(),
  rows: z.int(),
  bytes: z.int(),
  report: z.array(z.unknown()),
  error: z.nullable(z.string()),
});
z.globalRegistry.add(Run, { id: "CleanupRun" });

const Health = z.object({
  job: z.string(),
  overdue: z.boolean(),
  enabled: z.boolean(),
  schedule: z.string(),
  next_run_at: z.string(),
  last_success_at: z.nullable(z.string()),
  running: z.boolean(),
  last_outcome: z.nullable(z.string()),
  last_error: z.nullable(z.string()),
  last_report: z.nullable(z.array(z.unknown())),
});
z.globalRegistry.add(Health, { id: "CleanupHealth" });

/** If the project has no key of the name that may call these routes. */
const KEY_MISSING = ["secret_key_missing"];

/** The OpenAPI document of `cleanup`. */
export const document: unknown = describeFunction({
  name: "cleanup",
  summary: "Deletes expired data. For the scheduler, which uses the secret key named cron.",
  routes: [
    {
      method: "post",
      path: "",
      summary: "Run cleanup jobs",
      description:
        "Runs the jobs in `jobs`, or all jobs that are due, in batches, until all are done or `max_seconds` (default 25) " +
        "have passed; `outcome` says which. With `dry_run`, only reports what would be deleted. A job that another " +
        "request is running is `leased`.",
      auth: ["secret"],
      body: schema.Cleanup,
      response: {
        status: 200,
        description: "The result of each job",
        schema: z.object({ dry_run: z.boolean(), jobs: z.array(Result) }),
      },
      problems: { 404: ["cleanup_job_not_found"], 503: KEY_MISSING },
    },
    {
      method: "get",
      path: "",
      summary: "The state of the jobs",
      description: "Returns each job with its last run, and whether it is overdue.",
      auth: ["secret"],
      response: {
        status: 200,
        description: "The jobs, overdue ones first",
        schema: z.object({ jobs: z.array(Health) }),
      },
      problems: { 503: KEY_MISSING },
    },
    {
      method: "get",
      path: "/runs",
      summary: "The history of runs",
      description:
        "Returns the newest runs first. For the next page, send `next_before` as `before`. `limit` is 1 to 1000 (default 50).",
      auth: ["secret"],
      query: schema.RunsQuery,
      response: {
        status: 200,
        description: "A page of runs; `next_before` is null on the last",
        schema: z.object({ runs: z.array(Run), next_before: z.nullable(z.int()) }),
      },
      problems: {
        404: ["cleanup_job_not_found"],
        422: ["invalid_request"],
        503: KEY_MISSING,
      },
    },
  ],
});

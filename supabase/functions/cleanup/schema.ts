/**
 * The requests of `cleanup`.
 *
 * @module
 */

import * as z from "zod/mini";

import { list, pageSize } from "../_shared/schema.ts";

/** Default time limit of a request in seconds. pg_net waits for it, and the platform ends requests after 150 s. */
export const DEFAULT_SECONDS = 25;

const job = z.string().check(
  z.regex(/^[a-z]+(_[a-z]+)*$/, "Must be the name of a job, such as finished_tasks"),
  z.maxLength(50),
);

/** `POST /cleanup`. */
export const Cleanup = z.strictObject({
  jobs: z.optional(list(job, 100, 1)),
  dry_run: z.optional(z.boolean()),
  max_seconds: z.optional(z.int().check(z.minimum(1), z.maximum(100))),
});

/** `GET /cleanup/runs`. */
export const RunsQuery = z.strictObject({
  job: z.optional(job),
  before: z.optional(
    z.string().check(z.regex(/^[1-9]\d{0,15}$/, "Must be a whole number, 1 or greater")),
  ),
  limit: z.optional(pageSize),
});

/**
 * What the routes of `cleanup` take.
 *
 * @module
 */

import * as z from "zod/mini";

import { pageSize } from "../_shared/schema.ts";

/** Seconds that a request works for unless it says: pg_net waits for it, and the platform ends it after 150. */
export const DEFAULT_SECONDS = 25;

const job = z.string().check(z.regex(/^[a-z]+(_[a-z]+)*$/), z.maxLength(50));

/** `POST /cleanup`. */
export const Cleanup = z.strictObject({
  jobs: z.optional(z.array(job).check(z.minLength(1), z.maxLength(100))),
  dry_run: z.optional(z.boolean()),
  max_seconds: z.optional(z.int().check(z.minimum(1), z.maximum(100))),
});

/** `GET /cleanup/runs`. */
export const RunsQuery = z.strictObject({
  job: z.optional(job),
  before: z.optional(z.string().check(z.regex(/^[1-9]\d{0,15}$/))),
  limit: z.optional(pageSize),
});

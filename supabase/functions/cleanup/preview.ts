/**
 * Predicts what cleanup jobs would do now.
 *
 * @module
 */

import type { SupabaseClient } from "@supabase/supabase-js";

import type { Database } from "../_shared/database.types.ts";
import { unwrap } from "../_shared/rpc.ts";

/** What a job would do. */
export interface Preview {
  job: string;
  outcome: "due";
  rows: number;
  bytes: number;
}

/**
 * Returns what a run of each job would do now. Changes nothing.
 *
 * @param client Client with the secret key.
 * @param jobs Which jobs.
 */
export async function preview(
  client: SupabaseClient<Database>,
  jobs: { job: string }[],
): Promise<Preview[]> {
  const previews: Preview[] = [];
  for (const { job } of jobs) {
    const { rows, bytes } = unwrap(await client.rpc("preview_cleanup", { job }));
    previews.push({ job, outcome: "due", rows: rows ?? 0, bytes: bytes ?? 0 });
  }
  return previews;
}

/**
 * Work that the caller need not wait for.
 *
 * @module
 */

import { logLine } from "./log.ts";

/** A global of the platform's runtime that plain Deno does not have. */
declare const EdgeRuntime: { waitUntil(work: Promise<unknown>): void } | undefined;

/**
 * Continues work after the response; the platform keeps the function alive for it. Use it only for work that may be
 * lost: if the function is stopped, so is the work.
 *
 * @param work The work. If it fails, the failure is logged.
 */
export function afterResponse(work: Promise<unknown>): void {
  const logged = work.catch((error) =>
    logLine("error", { message: `Work after the response failed: ${error}` })
  );
  if (typeof EdgeRuntime !== "undefined") EdgeRuntime.waitUntil(logged);
}

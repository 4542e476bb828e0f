/**
 * Work that a caller need not wait for.
 *
 * @module
 */

import { logLine } from "./log.ts";

/** What the platform's runtime has, and plain Deno has not. */
declare const EdgeRuntime: { waitUntil(work: Promise<unknown>): void } | undefined;

/**
 * Goes on with work after the response; the platform keeps the function alive for it. Only for what can be lost: whatever
 * ends the function ends the work.
 *
 * @param work What goes on. Its failure is logged.
 */
export function afterResponse(work: Promise<unknown>): void {
  const logged = work.catch((error) =>
    logLine("error", { message: `After the response: ${error}` })
  );
  if (typeof EdgeRuntime !== "undefined") EdgeRuntime.waitUntil(logged);
}

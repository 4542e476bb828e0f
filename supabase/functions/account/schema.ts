/**
 * The requests of `account`.
 *
 * @module
 */

import * as z from "zod/mini";

/** The most parts that a response lists. */
export const MOST_PARTS = 1000;

/** `GET /account/export`. */
export const PartsQuery = z.strictObject({
  after: z.optional(z.string().check(z.regex(/^\d{1,9}$/))),
  limit: z.optional(
    z.string().check(
      z.regex(/^\d{1,4}$/),
      z.refine((limit) => Number(limit) >= 1 && Number(limit) <= MOST_PARTS, "Must be 1 to 1000"),
    ),
  ),
});

/**
 * Schemas that the requests of all functions share.
 *
 * @module
 */

import * as z from "zod/mini";

import type { Json } from "./database.types.ts";

/** An id: a UUID. */
export const id = z.guid("Must be a UUID");

/** A time, with its offset from UTC. */
export const time = z.iso.datetime({
  offset: true,
  error: "Must be a time such as 2026-11-01T00:00:00Z",
});

/** Size of a page, in a query: 1 to 1000 rows. */
export const pageSize = z.string().check(
  z.regex(/^([1-9]\d{0,2}|1000)$/, "Must be a whole number from 1 to 1000"),
);

/** Any JSON. The request was parsed as JSON before, so there is nothing left to check. */
export const json = z.unknown() as z.ZodMiniType<Json>;

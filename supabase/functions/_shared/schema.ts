/**
 * Shapes that the requests of all functions are made of.
 *
 * @module
 */

import * as z from "zod/mini";

import type { Json } from "./database.types.ts";

/** An id, of whatever kind: a UUID. */
export const id = z.guid();

/** A time, with its offset from UTC. */
export const time = z.iso.datetime({ offset: true });

/** How many rows a page may have, in a query: 1 to 1000. */
export const pageSize = z.string().check(z.regex(/^([1-9]\d{0,2}|1000)$/));

/** Any JSON. A request has been parsed as JSON before it is checked, so there is nothing left to check. */
export const json = z.unknown() as z.ZodMiniType<Json>;

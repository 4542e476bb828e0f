/**
 * Shapes that occur in the requests of every function.
 *
 * @module
 */

import * as z from "zod/mini";

import type { Json } from "./database.types.ts";

/** An id, of whatever kind: a UUID. */
export const id = z.guid();

/** A time, with its offset from UTC. */
export const time = z.iso.datetime({ offset: true });

/** Any JSON. A request has been parsed as JSON before it is checked, so there is nothing left to check. */
export const json = z.unknown() as z.ZodMiniType<Json>;

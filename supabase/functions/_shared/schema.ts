/**
 * Schemas that the requests of all functions share.
 *
 * @module
 */

import * as z from "zod/mini";

import type { Json } from "./database.types.ts";

/** An id: a UUID. */
export const id = z.guid("Must be a UUID");

/** An id that the caller has chosen, or a UUID that the database has. */
export const clientId = z.string().check(
  z.regex(/^[A-Za-z0-9_-]{1,64}$/, "Must be a UUID, or 1 to 64 letters, digits, _ and -"),
);

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

/**
 * A list. One that is too long is refused before its elements are looked at: otherwise, a body full of faulty elements
 * would keep the function busy for seconds.
 *
 * @param element Schema of an element.
 * @param most The most elements.
 * @param least The fewest elements.
 */
export function list<T extends z.ZodMiniType>(
  element: T,
  most: number,
  least: number = 0,
): z.ZodMiniArray<T> {
  const schema = z.array(element).check(z.minLength(least), z.maxLength(most));
  const parse = schema._zod.parse;
  // The checks of the length run after this, and refuse the list.
  schema._zod.parse = (payload, context) =>
    Array.isArray(payload.value) && payload.value.length > most ? payload : parse(payload, context);
  return schema;
}

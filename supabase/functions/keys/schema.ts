/**
 * The requests of `keys`. SQL checks the same limits.
 *
 * @module
 */

import * as z from "zod/mini";

import { PERMISSIONS } from "../_shared/api_keys.ts";
import { id, time } from "../_shared/schema.ts";

const name = z.string().check(z.minLength(1), z.maxLength(200));
const permissions = z.array(z.enum(PERMISSIONS)).check(
  z.minLength(1),
  z.maxLength(PERMISSIONS.length),
);

/** The path of a key. */
export const KeyPath = z.strictObject({ id });

/** `POST /keys`. */
export const NewKey = z.strictObject({
  name,
  permissions,
  expires_at: z.optional(z.nullable(time)),
});

/** `PATCH /keys/:id`. */
export const KeyChange = z.strictObject({
  name: z.optional(name),
  permissions: z.optional(permissions),
  expires_at: z.optional(z.nullable(time)),
  is_active: z.optional(z.boolean()),
}).check(
  z.refine((change) => Object.keys(change).length > 0, "Name at least one member to change"),
);

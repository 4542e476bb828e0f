/**
 * The requests of `projects`, except those about messages.
 *
 * @module
 */

import * as z from "zod/mini";

import { id } from "../_shared/schema.ts";

/** The path of a project. */
export const ProjectPath = z.strictObject({ id });

const clone = {
  title: z.optional(z.string().check(z.minLength(1), z.maxLength(500))),
  with_messages: z.optional(z.boolean()),
  with_files: z.optional(z.boolean()),
};

/** `POST /projects/:id/clone` from a signed-in user. */
export const UserClone = z.strictObject(clone);

/** `POST /projects/:id/clone` from a service for a user. */
export const ServiceClone = z.strictObject({ ...clone, user_id: id });

/** The path of a clone. */
export const ClonePath = z.strictObject({ id });

/** `GET /projects/clones/:id` from a signed-in user: no query. */
export const UserCloneQuery = z.strictObject({});

/** `GET /projects/clones/:id` from a service for a user. */
export const ServiceCloneQuery = z.strictObject({ user_id: id });

/** `POST /projects/:id/restore` from a signed-in user: an empty object. */
export const UserRestore = z.strictObject({});

/** `POST /projects/:id/restore` from a service for a user. */
export const ServiceRestore = z.strictObject({ user_id: id });

const permanent = z.optional(z.enum(["true", "false"]));

/** `DELETE /projects/:id` from a signed-in user. */
export const UserDelete = z.strictObject({ permanent });

/** `DELETE /projects/:id` from a service for a user. */
export const ServiceDelete = z.strictObject({ permanent, user_id: id });

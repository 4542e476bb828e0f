/**
 * What the routes of `files` take. SQL says what is wrong with a file, each fault by its own code; here only the shapes
 * are held.
 *
 * @module
 */

import * as z from "zod/mini";

import { id } from "../_shared/schema.ts";

/** Text that a database can store. */
const text = z.string().check(z.refine(
  (value) => value.isWellFormed() && !value.includes("\0"),
  "Text is without NUL and lone surrogates",
));

const upload = {
  bucket: text,
  name: text,
  size: z.int(),
  content_type: text,
  project_id: z.optional(id),
  chat_id: z.optional(id),
};

/** `POST /files/uploads` by a signed-in user. */
export const UserUpload = z.strictObject(upload);

/** `POST /files/uploads` by a service for a user. */
export const ServiceUpload = z.strictObject({ ...upload, user_id: id });

/** `POST /files/uploads/:id/complete` by a signed-in user: nothing to choose. */
export const UserCompletion = z.strictObject({});

/** `POST /files/uploads/:id/complete` by a service for a user. */
export const ServiceCompletion = z.strictObject({ user_id: id });

/** `/uploads/:id` */
export const UploadPath = z.object({ id });

const MAX_PATHS = 1000;

/** `POST /files/downloads`. */
export const Downloads = z.strictObject({
  bucket: text,
  /** A path that there cannot be is refused for itself, not with all others. */
  paths: z.array(z.union([
    z.string(),
    z.strictObject({
      path: z.string(),
      download: z.string().check(z.minLength(1), z.maxLength(1024)),
    }),
  ])).check(z.minLength(1), z.maxLength(MAX_PATHS)),
  expires_in: z.optional(z.int().check(z.minimum(1))),
});

const deletion = {
  bucket: text,
  paths: z.array(text).check(z.minLength(1), z.maxLength(MAX_PATHS)),
};

/** `DELETE /files` by a signed-in user. */
export const UserDeletion = z.strictObject(deletion);

/** `DELETE /files` by a service for a user. */
export const ServiceDeletion = z.strictObject({ ...deletion, user_id: id });

/** `GET /files/usage` by a signed-in user. */
export const UserUsage = z.strictObject({});

/** `GET /files/usage` by a service for a user. */
export const ServiceUsage = z.strictObject({ user_id: id });

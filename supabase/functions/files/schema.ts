/**
 * The requests of `files`. Only the shapes are checked here. SQL checks the values, and reports each fault with its own
 * code.
 *
 * @module
 */

import * as z from "zod/mini";

import { id, list } from "../_shared/schema.ts";

/** Text that a database can store. */
const text = z.string().check(z.refine(
  (value) => value.isWellFormed() && !value.includes("\0"),
  "Text must not contain NUL or lone surrogates",
));

const upload = {
  bucket: text,
  name: text,
  size: z.int(),
  content_type: text,
  project_id: z.optional(id),
  chat_id: z.optional(id),
};

/** `POST /files/uploads` from a signed-in user. */
export const UserUpload = z.strictObject(upload);

/** `POST /files/uploads` from a service for a user. */
export const ServiceUpload = z.strictObject({ ...upload, user_id: id });

/** `POST /files/uploads/:id/complete` from a signed-in user: no options. */
export const UserCompletion = z.strictObject({});

/** `POST /files/uploads/:id/complete` from a service for a user. */
export const ServiceCompletion = z.strictObject({ user_id: id });

/** `/uploads/:id` */
export const UploadPath = z.object({ id });

const MAX_PATHS = 1000;

/** `POST /files/downloads`. */
export const Downloads = z.strictObject({
  bucket: text,
  /** Not checked here: an impossible path must not make the whole request fail. */
  paths: list(
    z.union([
      z.string(),
      z.strictObject({
        path: z.string(),
        download: z.union([z.literal(true), text.check(z.minLength(1), z.maxLength(1024))]),
      }),
    ], "Must be a path, or an object with path and download (true, or 1 to 1024 characters)"),
    MAX_PATHS,
    1,
  ),
  expires_in: z.optional(z.int().check(z.minimum(1))),
});

const deletion = {
  bucket: text,
  paths: list(text, MAX_PATHS, 1),
};

/** `DELETE /files` from a signed-in user. */
export const UserDeletion = z.strictObject(deletion);

/** `DELETE /files` from a service for a user. */
export const ServiceDeletion = z.strictObject({ ...deletion, user_id: id });

/** `GET /files/usage` from a signed-in user. */
export const UserUsage = z.strictObject({});

/** `GET /files/usage` from a service for a user. */
export const ServiceUsage = z.strictObject({ user_id: id });

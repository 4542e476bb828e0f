/**
 * The routes of `account` for its OpenAPI document.
 *
 * @module
 */

import * as z from "zod/mini";

import { describeFunction } from "../_openapi/document.ts";
import { id, time } from "../_shared/schema.ts";
import * as schema from "./schema.ts";

const state = {
  id,
  state: z.enum(["queued", "running", "done", "failed", "cancelled", "expired"]),
  created_at: time,
  ended_at: z.nullable(time),
  expires_at: z.nullable(time),
  tables: z.record(z.string(), z.number()),
  rows: z.number(),
  files: z.number(),
  files_missing: z.number(),
  bytes: z.number(),
  progress: z.number(),
};
const Started = z.object({ ...state, parts: z.number() });
z.globalRegistry.add(Started, { id: "AccountExport" });
const Part = z.object({
  number: z.number(),
  kind: z.enum(["file", "rows", "manifest"]),
  name: z.string(),
  rows: z.nullable(z.number()),
  bytes: z.number(),
  sha256: z.nullable(z.string()),
  bucket: z.nullable(z.string()),
  path: z.nullable(z.string()),
  url: z.nullable(z.string()),
});
const Described = z.object({
  ...state,
  parts: z.array(Part),
  next_after: z.nullable(z.number()),
});
const Deletion = z.object({
  state: z.enum(["active", "to_be_deleted"]),
  requested_at: z.nullable(time),
  removed_at: z.nullable(time),
});
z.globalRegistry.add(Deletion, { id: "AccountDeletion" });

/** The OpenAPI document of `account`. */
export const document: unknown = describeFunction({
  name: "account",
  summary: "Exports all data of the signed-in user, and deletes the account.",
  routes: [
    {
      method: "post",
      path: "/export",
      summary: "Start an export",
      description:
        "An archive of all rows, files and encrypted chats of the user is made in the background. `Location` says where " +
        "its state is. The archive of the last export is removed.",
      auth: ["user"],
      response: { status: 202, description: "The export", schema: Started },
      problems: {
        404: ["user_not_found"],
        409: ["export_in_progress"],
        429: ["too_many_exports"],
      },
    },
    {
      method: "get",
      path: "/export",
      summary: "Get the newest export",
      description:
        "While it is being made, `progress` goes from 0 to 1. Once it is `done`, `parts` has the objects of the archive " +
        "with download URLs, in pages: send `next_after` as `after` to get the next page.",
      auth: ["user"],
      query: schema.PartsQuery,
      storage: true,
      response: { status: 200, description: "The export", schema: Described },
      problems: { 404: ["export_not_found"] },
    },
    {
      method: "delete",
      path: "/export",
      summary: "Cancel or remove the newest export",
      description: "The archive is no longer listed. Its objects are removed in the background.",
      auth: ["user"],
      response: { status: 200, description: "The export as it is now", schema: Started },
      problems: { 404: ["export_not_found"] },
    },
    {
      method: "get",
      path: "",
      summary: "Get the state of the account",
      description:
        "Says whether the deletion of the account is requested, and when the account is removed.",
      auth: ["user"],
      response: { status: 200, description: "The state", schema: Deletion },
      problems: { 404: ["user_not_found"] },
    },
    {
      method: "delete",
      path: "",
      summary: "Delete the account",
      description:
        "Requires a session that began with a recent sign-in. The account works as before until `removed_at`; until then, " +
        "the deletion can be cancelled. A repeated request changes nothing.",
      auth: ["user"],
      response: { status: 202, description: "When the account is removed", schema: Deletion },
      problems: {
        403: ["reauthentication_needed"],
        404: ["user_not_found"],
        409: ["account_has_subscription", "team_has_subscription"],
      },
    },
    {
      method: "post",
      path: "/restore",
      summary: "Cancel the deletion of the account",
      description: "This is possible until the cleanup begins to delete the account.",
      auth: ["user"],
      response: { status: 200, description: "The state", schema: Deletion },
      problems: { 404: ["deletion_not_found"], 409: ["deletion_begun"] },
    },
  ],
});

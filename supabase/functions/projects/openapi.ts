/**
 * The routes of `projects` for its OpenAPI document.
 *
 * @module
 */

import * as z from "zod/mini";

import { describeMessageRoutes } from "../_messages/openapi.ts";
import { describeFunction } from "../_openapi/document.ts";
import { id, time } from "../_shared/schema.ts";
import * as schema from "./schema.ts";

const Project = z.object({
  id,
  user_id: id,
  team_id: z.nullable(id),
  title: z.string(),
  description: z.nullable(z.string()),
  template_id: z.nullable(z.string()),
  status: z.enum(["active", "archived", "deleted", "cloning"]),
  is_public: z.boolean(),
  metadata: z.record(z.string(), z.unknown()),
  system_prompt: z.nullable(z.string()),
  is_archived: z.boolean(),
  message_editing: z.enum(["author", "members"]),
  created_at: time,
  updated_at: time,
  deleted_at: z.nullable(time),
});
z.globalRegistry.add(Project, { id: "Project" });

const Change = z.object({ project: Project, messages: z.int(), files: z.int() });
z.globalRegistry.add(Change, { id: "ProjectChange" });

const Clone = z.object({
  id,
  source_id: id,
  status: z.enum(["copying", "complete", "failed"]),
  code: z.nullable(z.string()),
  messages: z.int(),
  total_messages: z.int(),
  files: z.int(),
  total_files: z.int(),
  started_at: time,
  finished_at: z.nullable(time),
  project: z.nullable(Project),
});
z.globalRegistry.add(Clone, { id: "ProjectClone" });

/** The OpenAPI document of `projects`. */
export const document: unknown = describeFunction({
  name: "projects",
  summary: "Saves messages of projects; clones, deletes and restores projects.",
  routes: [
    ...describeMessageRoutes("project_id"),
    {
      method: "post",
      path: "/{id}/clone",
      summary: "Clone a project",
      description:
        "Creates a project of the user with the messages of this one, unless `with_messages` is false. With " +
        "`with_files`, the clone also has the records of the files: only the owner of the project may clone them. A " +
        "small project is copied at once (201). A large one is copied in the background (202): `Location` names the " +
        "route that says how far the clone has come.",
      auth: ["user", "secret"],
      permission: "projects:write",
      idempotent: true,
      stores: true,
      params: schema.ProjectPath,
      body: z.union([schema.UserClone, schema.ServiceClone]),
      response: {
        status: [201, 202],
        description: "The clone, complete (201) or not (202)",
        schema: Clone,
      },
      problems: {
        403: ["files_of_another"],
        404: ["project_not_found"],
        409: ["project_deleted", "project_cloning"],
        410: ["clone_deleted"],
        422: ["invalid_title"],
        429: ["too_many_clones"],
      },
    },
    {
      method: "get",
      path: "/clones/{id}",
      summary: "Read how far a clone has come",
      description:
        "`messages` and `files` count what has been copied; the totals are estimates until the clone is complete. " +
        "`project` is null until then. If the clone has failed, `code` says why, and what was copied is removed.",
      auth: ["user", "secret"],
      permission: "projects:write",
      params: schema.ClonePath,
      query: z.partial(schema.ServiceCloneQuery),
      response: { status: 200, description: "The clone", schema: Clone },
      problems: { 404: ["clone_not_found"], 422: ["invalid_request"] },
    },
    {
      method: "delete",
      path: "/{id}",
      summary: "Delete a project",
      description:
        "The project can be restored. With `permanent=true`, it is deleted permanently, with its messages and with its " +
        "files in Storage that no other project uses.",
      auth: ["user", "secret"],
      permission: "projects:write",
      idempotent: true,
      params: schema.ProjectPath,
      query: z.partial(schema.ServiceDelete),
      response: {
        status: 200,
        description: "The deleted project, and the numbers of its messages and files",
        schema: Change,
      },
      problems: {
        403: ["project_read_only", "not_project_owner"],
        404: ["project_not_found"],
        409: ["project_cloning"],
        422: ["invalid_request"],
      },
    },
    {
      method: "post",
      path: "/{id}/restore",
      summary: "Restore a deleted project",
      description: "Restores it as active. A project that is not deleted stays as it is.",
      auth: ["user", "secret"],
      permission: "projects:write",
      params: schema.ProjectPath,
      body: z.union([schema.UserRestore, schema.ServiceRestore]),
      response: { status: 200, description: "The project", schema: Change },
      problems: {
        403: ["project_read_only", "not_project_owner"],
        404: ["project_not_found"],
        409: ["project_purged", "project_cloning"],
      },
    },
  ],
});

/**
 * The routes of `projects` for its OpenAPI document.
 *
 * @module
 */

import * as z from "zod/mini";

import { describeMessageRoutes } from "../_messages/openapi.ts";
import { ParentPath } from "../_messages/schema.ts";
import { describeFunction } from "../_openapi/document.ts";
import { id, time } from "../_shared/schema.ts";
import * as schema from "./schema.ts";

const Change = z.object({
  project: z.object({
    id,
    user_id: id,
    team_id: z.nullable(id),
    title: z.string(),
    description: z.nullable(z.string()),
    template_id: z.nullable(z.string()),
    status: z.enum(["active", "archived", "deleted"]),
    is_public: z.boolean(),
    metadata: z.record(z.string(), z.unknown()),
    system_prompt: z.nullable(z.string()),
    is_archived: z.boolean(),
    created_at: time,
    updated_at: time,
    deleted_at: z.nullable(time),
  }),
  messages: z.int(),
  files: z.int(),
});
z.globalRegistry.add(Change, { id: "ProjectChange" });

/** The OpenAPI document of `projects`. */
export const document: unknown = describeFunction({
  name: "projects",
  summary: "Messages of projects, and what happens to a whole project.",
  routes: [
    ...describeMessageRoutes({
      403: ["project_read_only"],
      404: ["project_not_found"],
      409: ["project_deleted"],
    }),
    {
      method: "post",
      path: "/{id}/clone",
      summary: "Copy a project",
      description:
        "Into one of the user's own. With its messages, unless `with_messages` is false; with the records of its files " +
        "if `with_files` is true, which whose project it is may do.",
      auth: ["user", "secret"],
      idempotent: true,
      params: ParentPath,
      body: z.union([schema.UserClone, schema.ServiceClone]),
      response: { status: 201, description: "The copy", schema: Change },
      problems: {
        403: ["files_of_another"],
        404: ["project_not_found"],
        409: ["project_deleted"],
        422: ["invalid_title"],
      },
    },
    {
      method: "delete",
      path: "/{id}",
      summary: "Delete a project",
      description:
        "So that it can be restored; with `permanent=true` for good, with its messages, and its files in Storage unless " +
        "another project has them too.",
      auth: ["user", "secret"],
      idempotent: true,
      params: ParentPath,
      query: z.partial(schema.ServiceDelete),
      response: { status: 200, description: "The project, as it was last", schema: Change },
      problems: {
        403: ["project_read_only", "not_project_owner"],
        404: ["project_not_found"],
        422: ["invalid_request"],
      },
    },
    {
      method: "post",
      path: "/{id}/restore",
      summary: "Bring a deleted project back",
      description: "As active. One that is not deleted stays as it is.",
      auth: ["user", "secret"],
      params: ParentPath,
      body: z.union([schema.UserRestore, schema.ServiceRestore]),
      response: { status: 200, description: "The project", schema: Change },
      problems: {
        403: ["project_read_only", "not_project_owner"],
        404: ["project_not_found"],
        409: ["project_purged"],
      },
    },
  ],
});

/**
 * The routes of `keys` for its OpenAPI document.
 *
 * @module
 */

import * as z from "zod/mini";

import { describeFunction } from "../_openapi/document.ts";
import { id, time } from "../_shared/schema.ts";
import * as schema from "./schema.ts";

const shown = {
  id,
  name: z.string(),
  key_prefix: z.string(),
  permissions: z.array(z.string()),
  is_active: z.boolean(),
  last_used_at: z.nullable(time),
  expires_at: z.nullable(time),
  created_at: time,
  updated_at: time,
};
const Key = z.object(shown);
z.globalRegistry.add(Key, { id: "ApiKey" });
const CreatedKey = z.object({ ...shown, key: z.string() });

/** The OpenAPI document of `keys`. */
export const document: unknown = describeFunction({
  name: "keys",
  summary: "Creates, lists, disables and deletes the API keys of the signed-in user.",
  routes: [
    {
      method: "get",
      path: "",
      summary: "List your API keys",
      description:
        "The oldest first. The keys themselves are not stored, and cannot be shown again.",
      auth: ["user"],
      response: {
        status: 200,
        description: "The keys",
        schema: z.object({ keys: z.array(Key) }),
      },
      problems: {},
    },
    {
      method: "post",
      path: "",
      summary: "Create an API key",
      description:
        "The response is the only one that has the key itself, in `key`. A program sends it as " +
        "`Authorization: Bearer srk_...` to routes that require one of the key's permissions. A repeated request creates " +
        "another key: delete one whose response was lost.",
      auth: ["user"],
      body: schema.NewKey,
      response: { status: 201, description: "The key", schema: CreatedKey },
      problems: {
        404: ["user_not_found"],
        409: ["too_many_keys"],
        422: ["invalid_key", "unknown_permission"],
      },
    },
    {
      method: "patch",
      path: "/{id}",
      summary: "Change, disable or enable an API key",
      description: "The change takes effect with the next request.",
      auth: ["user"],
      params: schema.KeyPath,
      body: schema.KeyChange,
      response: { status: 200, description: "The key as it is now", schema: Key },
      problems: { 404: ["key_not_found"] },
    },
    {
      method: "delete",
      path: "/{id}",
      summary: "Delete an API key",
      description: "From the next request on, the key no longer works.",
      auth: ["user"],
      params: schema.KeyPath,
      response: { status: 200, description: "The key as it was", schema: Key },
      problems: { 404: ["key_not_found"] },
    },
  ],
});

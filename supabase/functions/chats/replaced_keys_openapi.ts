/**
 * The routes of `chats` for wraps of keys that were replaced, for its OpenAPI document.
 *
 * @module
 */

import * as z from "zod/mini";

import type { RouteDescription } from "../_openapi/document.ts";
import { id, time } from "../_shared/schema.ts";
import * as schema from "./schema.ts";

const ReplacedKeys = z.object({
  keys: z.array(z.object({
    id,
    kind: z.enum(["password", "recovery"]),
    key_id: id,
    is_current: z.boolean(),
    created_at: time,
    replaced_at: time,
    kept_until: time,
  })),
});

const ReplacedKey = z.object({
  id,
  kind: z.enum(["password", "recovery"]),
  key_id: id,
  salt: z.nullable(z.string()),
  iterations: z.nullable(z.int()),
  memory_kib: z.nullable(z.int()),
  passes: z.nullable(z.int()),
  wrap: z.string(),
  created_at: time,
});

/** The routes of wraps that were replaced. */
export const replacedKeyRoutes: RouteDescription[] = [
  {
    method: "get",
    path: "/keys/replaced",
    summary: "List wraps that were replaced",
    description:
      "Password wraps and recovery wraps are kept for some time after a change or a rotation has replaced them. The list " +
      "has their kinds and times, the last replacement first.",
    auth: ["user"],
    response: { status: 200, description: "The wraps that are kept", schema: ReplacedKeys },
    problems: {},
  },
  {
    method: "get",
    path: "/keys/replaced/{id}",
    summary: "Read a wrap that was replaced",
    description: "Requires a sign-in that is recent, and later than the replacement.",
    auth: ["user"],
    params: schema.ReplacedPath,
    response: { status: 200, description: "The wrap", schema: ReplacedKey },
    problems: {
      403: ["reauthentication_needed"],
      404: ["replaced_key_not_found"],
      422: ["invalid_request"],
    },
  },
];

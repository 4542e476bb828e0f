/**
 * The routes of approvals for the OpenAPI document of `chats`, and the one that notes the use of a passkey.
 *
 * @module
 */

import * as z from "zod/mini";

import type { RouteDescription } from "../_openapi/document.ts";
import { id, time } from "../_shared/schema.ts";
import { ApprovalChange, ApprovalPath, NewApproval } from "./approvals.ts";
import { DevicePath } from "./schema.ts";

const Approval = z.object({
  id,
  share: z.string(),
  reply: z.nullable(z.string()),
  hello: z.nullable(z.string()),
  answer: z.nullable(z.string()),
  closed: z.nullable(z.enum(["refused", "done"])),
  created_at: time,
  expires_at: time,
});
z.globalRegistry.add(Approval, {
  id: "Approval",
  description: "The messages between a new device and one that lets it in: docs/device-approval.md",
});

/** Describes the routes of `approvals.ts`. */
export function describeApprovalRoutes(): RouteDescription[] {
  return [
    {
      method: "get",
      path: "/approvals",
      summary: "List approvals of new devices",
      description:
        "Returns those that have not expired, newest first. Both devices read the other's messages here.",
      auth: ["user"],
      response: {
        status: 200,
        description: "The approvals",
        schema: z.object({ approvals: z.array(Approval) }),
      },
      problems: {},
    },
    {
      method: "post",
      path: "/approvals",
      summary: "Begin an approval",
      description:
        "For a new device, which chooses `id`. `share` is its share of the key exchange. Sending the request twice does no harm.",
      auth: ["user"],
      body: NewApproval,
      response: { status: 201, description: "The approval", schema: Approval },
      problems: {
        404: ["user_not_found"],
        409: ["approval_id_used"],
        422: ["invalid_approval"],
        429: ["too_many_approvals"],
      },
    },
    {
      method: "patch",
      path: "/approvals/{approval_id}",
      summary: "Send a message of an approval, or close it",
      description:
        "Send exactly one of `reply`, `hello`, `answer` and `closed`. Each message is sent once, in this order. Sending the " +
        "same one twice does no harm. When an approval is closed, its messages are deleted.",
      auth: ["user"],
      params: ApprovalPath,
      body: ApprovalChange,
      response: { status: 200, description: "The approval", schema: Approval },
      problems: {
        404: ["approval_not_found", "user_not_found"],
        409: ["approval_closed", "approval_out_of_turn"],
        410: ["approval_expired"],
        422: ["invalid_approval"],
      },
    },
    {
      method: "put",
      path: "/keys/passkeys/{device_id}/use",
      summary: "Note that a passkey has unlocked the keys",
      description: "Sets `last_used_at` of the passkey, at most once a minute.",
      auth: ["user"],
      params: DevicePath,
      response: {
        status: 200,
        description: "Noted",
        schema: z.object({ device_id: id, last_used_at: time }),
      },
      problems: { 404: ["device_not_found", "user_not_found"], 422: ["invalid_request"] },
    },
  ];
}

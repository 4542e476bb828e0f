/**
 * The routes of `webhooks` for its OpenAPI document.
 *
 * @module
 */

import * as z from "zod/mini";

import { describeFunction, type RouteDescription } from "../_openapi/document.ts";
import * as schema from "./schema.ts";

const Receipt = z.object({
  id: z.int(),
  outcome: z.enum(["processed", "ignored", "dead"]),
  replayed: z.boolean(),
});
z.globalRegistry.add(Receipt, { id: "WebhookReceipt" });

const Event = z.looseObject({});

const ReplayReport = z.object({
  replayed: z.int(),
  processed: z.int(),
  ignored: z.int(),
  failed: z.int(),
  payload_gone: z.int(),
  errors: z.array(z.object({ id: z.int(), event_id: z.string(), error: z.string() })),
  next_after: z.nullable(z.int()),
});

const HookAnswer = z.object({
  error: z.optional(z.object({ http_code: z.int(), message: z.string() })),
});

function delivery(
  path: string,
  summary: string,
  description: string,
  more: Partial<RouteDescription> = {},
): RouteDescription {
  return {
    method: "post",
    path,
    summary,
    description,
    auth: [],
    body: Event,
    response: {
      status: 200,
      description: "The event is stored. The sender does not have to send it again",
      schema: Receipt,
    },
    ...more,
    problems: {
      401: ["signature_missing", "signature_invalid", "signature_expired"],
      422: ["invalid_webhook_event"],
      503: ["webhook_not_configured", "webhook_effect_failed"],
      ...more.problems,
    },
  };
}

/** The OpenAPI document of `webhooks`. */
export const document: unknown = describeFunction({
  name: "webhooks",
  summary: "Events from other services. Each event takes effect once, in any order of arrival.",
  routes: [
    delivery("/stripe", "Receive an event from Stripe", "The signature is in `Stripe-Signature`."),
    delivery(
      "/standard/{source}",
      "Receive an event from a sender of Standard Webhooks",
      "Signed as Standard Webhooks specifies, in `webhook-id`, `webhook-timestamp` and `webhook-signature`, or in " +
        "`svix-id`, `svix-timestamp` and `svix-signature`.",
      { params: schema.SourcePath, problems: { 404: ["webhook_source_unknown"] } },
    ),
    delivery(
      "/database",
      "Receive a Database Webhook of Supabase",
      "Needs the shared secret in `x-webhook-secret`. The row is read again from the table before it is used.",
      { problems: { 401: ["signature_missing", "signature_invalid"] } },
    ),
    delivery(
      "/auth",
      "Decide whether a user may sign up",
      "For the Auth hook before-user-created. Signed as Standard Webhooks specifies.",
      {
        response: {
          status: 200,
          description: "{} if the user may sign up, or why they may not",
          schema: HookAnswer,
        },
        problems: { 422: ["auth_hook_unsupported", "invalid_webhook_event"] },
      },
    ),
    {
      method: "post",
      path: "/replay",
      summary: "Replay events",
      description:
        "Applies one event again, or the events that were received in a range of time, in batches: send `next_after` as `after` to " +
        "continue. An effect that already succeeded is not applied a second time.",
      auth: ["secret"],
      body: schema.Replay,
      response: { status: 200, description: "The result of the replay", schema: ReplayReport },
      problems: { 404: ["webhook_event_not_found"], 409: ["webhook_payload_gone"] },
    },
  ],
});

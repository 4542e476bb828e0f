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
    response: { status: 200, description: "The event is kept, and done with", schema: Receipt },
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
  summary: "What other services tell of: each event counted once, in any order.",
  routes: [
    delivery("/stripe", "An event of Stripe", "Signed in `Stripe-Signature`."),
    delivery(
      "/standard/{source}",
      "An event of any sender",
      "Signed as Standard Webhooks has it, in `webhook-id`, `webhook-timestamp` and `webhook-signature`.",
      { params: schema.SourcePath, problems: { 404: ["webhook_source_unknown"] } },
    ),
    delivery(
      "/database",
      "A Database Webhook of Supabase",
      "With the shared secret in `x-webhook-secret`. The row is read again before it is believed.",
      { problems: { 401: ["signature_missing", "signature_invalid"] } },
    ),
    delivery(
      "/auth",
      "The Auth hook before a user is created",
      "Signed as Standard Webhooks has it. Answers whether the user may sign up.",
      {
        response: { status: 200, description: "{}, or why the user may not", schema: HookAnswer },
        problems: { 422: ["auth_hook_unsupported", "invalid_webhook_event"] },
      },
    ),
    {
      method: "post",
      path: "/replay",
      summary: "Apply events again",
      description:
        "One event, or a range of the time of receipt, a batch at a time: `next_after` is `after` of the next call. What was " +
        "done is not done a second time.",
      auth: ["secret"],
      body: schema.Replay,
      response: { status: 200, description: "What came of it", schema: ReplayReport },
      problems: { 404: ["webhook_event_not_found"], 409: ["webhook_payload_gone"] },
    },
  ],
});

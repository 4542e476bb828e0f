/**
 * The requests of `webhooks`.
 *
 * @module
 */

import * as z from "zod/mini";

import { time } from "../_shared/schema.ts";

/** The path of `POST /webhooks/standard/:source`. */
export const SourcePath = z.object({ source: z.string() });

/** Format of the names of sources in `webhook_events.provider`. */
export const SOURCE: RegExp = /^[a-z0-9][a-z0-9_-]{0,49}$/;

/** The name of a sender, an event or a type. */
export const name = z.string().check(z.minLength(1), z.maxLength(255));

const OneEvent = z.strictObject({ provider: name, event_id: name });

const range = {
  provider: z.optional(name),
  type: z.optional(name),
  after: z.optional(z.int().check(z.minimum(0), z.maximum(Number.MAX_SAFE_INTEGER))),
  batch: z.optional(z.int().check(z.minimum(1), z.maximum(500))),
};

/** `POST /webhooks/replay`: one event, or a range of the time of receipt. */
export const Replay = z.union(
  [
    OneEvent,
    z.strictObject({ ...range, received_from: time, received_before: z.optional(time) }),
    z.strictObject({ ...range, received_before: time }),
  ],
  "Give either provider and event_id, or a range of time: received_from, received_before or both, " +
    "and optionally provider, type, after (0 or greater) and batch (1 to 500)",
);

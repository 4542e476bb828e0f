/**
 * The list of all senders of webhooks. To add a sender, add an entry here with its route and the function that verifies
 * its signature, its secrets to `secrets.ts`, its description to `openapi.ts`, and its handlers to
 * `private.webhook_handlers`. A sender of Standard Webhooks only needs its secret in the environment and its handlers.
 *
 * @module
 */

import type { Context } from "hono";

import { readPath } from "../_shared/request.ts";
import { answerAuthHook, answerReceipt } from "./answers.ts";
import { readDatabaseWebhook } from "./database.ts";
import { type Receipt, receive, receiveDatabaseWebhook } from "./inbox.ts";
import * as schema from "./schema.ts";
import { standardSecrets } from "./secrets.ts";
import { readAuthHook, readStandardDelivery } from "./standard.ts";
import { readStripeDelivery } from "./stripe.ts";

/** How to receive a sender's deliveries and respond to them. */
export interface Sender {
  /** The route. */
  path: string;
  /** Verifies who sent the request, and passes the event to the inbox. */
  receive: (c: Context) => Promise<Receipt>;
  answer: (c: Context, receipt: Receipt) => Response;
}

/** The senders, by their name in `webhook_events.provider`. */
export const SENDERS: Record<string, Sender> = {
  stripe: {
    path: "/stripe",
    receive: async (c) => receive(await readStripeDelivery(c)),
    answer: answerReceipt,
  },
  standard: {
    path: "/standard/:source",
    receive: async (c) => {
      const { source } = readPath(c, schema.SourcePath);
      return receive(await readStandardDelivery(c, source));
    },
    answer: answerReceipt,
  },
  database: {
    path: "/database",
    receive: async (c) => receiveDatabaseWebhook(await readDatabaseWebhook(c)),
    answer: answerReceipt,
  },
  auth: {
    path: "/auth",
    receive: async (c) => receive(await readAuthHook(c)),
    answer: answerAuthHook,
  },
};

/**
 * The sender's name under which a refused request is counted. A source of Standard Webhooks is part of the name only if
 * it is configured.
 *
 * @param path Path of the request: `/webhooks/standard/acme`.
 * @returns The name; undefined if the path belongs to no sender.
 */
export function providerOf(path: string): string | undefined {
  const [, , provider = "", source = ""] = path.split("/");
  if (!Object.hasOwn(SENDERS, provider)) return undefined;
  if (provider !== "standard") return source ? undefined : provider;
  try {
    return schema.SOURCE.test(source) && standardSecrets(source)
      ? `standard:${source}`
      : "standard";
  } catch {
    return "standard";
  }
}

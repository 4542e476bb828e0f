/**
 * Who may send webhooks: the one list of them. A new sender is an entry here with its route and the function that verifies
 * its signature, its secrets in `secrets.ts`, its description in `openapi.ts`, and its handlers in
 * `private.webhook_handlers`. A sender of Standard Webhooks needs none of that: only its secret in the environment.
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

/** How the deliveries of a sender are received and answered. */
export interface Sender {
  /** The route. */
  path: string;
  /** Verifies who sent the request, and gives the event to the inbox. */
  receive: (c: Context) => Promise<Receipt>;
  answer: (c: Context, receipt: Receipt) => Response;
}

/** The senders, by the name that `webhook_events.provider` has for them. */
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
 * The name under which refusals of a request are counted: that of its sender, with the source of Standard Webhooks if that
 * one is set up.
 *
 * @param path Path of the request: `/webhooks/standard/acme`.
 * @returns undefined for a path that is no sender's.
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

/**
 * Calls to the inbox in the database. They use the secret key: a delivery has no signed-in user, and its signature
 * already proves who sent it.
 *
 * @module
 */

import { adminClient } from "../_shared/clients.ts";
import type { Database, Json } from "../_shared/database.types.ts";
import { call, unwrap } from "../_shared/rpc.ts";
import type { Delivery } from "./delivery.ts";

/** The result of a delivery. */
export type Receipt = Database["public"]["CompositeTypes"]["webhook_receipt"];

/** Stores an event and applies its effect, once. */
export function receive(delivery: Delivery): Promise<Receipt> {
  return call(() => adminClient().rpc("receive_webhook_event", { ...delivery }));
}

/** Does the same for a Database Webhook, which has no id. */
export function receiveDatabaseWebhook(payload: Json): Promise<Receipt> {
  return call(() => adminClient().rpc("receive_database_webhook", { payload }));
}

/** Counts a refused delivery by the code of the response. Nothing else of it is kept. */
export async function countRefusal(provider: string, reason: string): Promise<void> {
  const { error, status } = await adminClient().rpc("count_webhook_refusal", { provider, reason });
  if (error) unwrap({ data: null, error, status });
}

/**
 * Keys and chats with random bytes, for the tests of the routes.
 *
 * @module
 */

import { random } from "../_testing/envelope.ts";
import { type Answer, invoke, type TestUser } from "../_testing/testing.ts";

/** A wrap under a password and one under a recovery key, which the first keys need. */
export function wraps(...more: Record<string, unknown>[]): Record<string, unknown>[] {
  return [
    { kind: "password", salt: random(32), iterations: 600_000, wrap: wrap() },
    { kind: "recovery", wrap: wrap() },
    ...more,
  ];
}

/** The text of a wrap. */
export function wrap(): string {
  return JSON.stringify({ v: "2", nonce: random(12), ciphertext: random(32), mac: random(16) });
}

/** Sets a user's first keys, and returns the key's id. */
export async function setKeys(user: TestUser): Promise<string> {
  const key_id = crypto.randomUUID();
  const { status, body } = await invoke(user.client, "chats/keys", {
    method: "PUT",
    body: { expected_version: 0, key_id, wraps: wraps() },
  });
  if (status !== 200) throw new Error(`Cannot set keys: ${JSON.stringify(body)}`);
  return key_id;
}

/** Saves a chat, and returns the response. */
export function save(user: TestUser, id: string, body: Record<string, unknown>): Promise<Answer> {
  return invoke(user.client, `chats/${id}`, { method: "PUT", body });
}

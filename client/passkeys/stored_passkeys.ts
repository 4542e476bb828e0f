/**
 * What the server stores about passkeys.
 *
 * @module
 */

import { Members, must } from "../chats/answers.ts";

/** A passkey, as the server says. */
export interface StoredPasskey {
  readonly device_id: string;
  readonly credential_id: string;
  readonly salt: string;
  readonly name: string;
  readonly created_at: string;
  readonly last_used_at: string | null;
}

/** The longest id of a credential, in characters of base64url: 1,023 bytes, by WebAuthn. */
const LONGEST_ID = 1366;

/** Reads the passkeys of the current key from the answer of `GET /chats/keys`, the newest first. Each occurs once. */
export function readPasskeys(answer: unknown): StoredPasskey[] {
  const [current] = new Members(answer).list("keys");
  const passkeys = (current?.list("wraps") ?? [])
    .filter((wrap) => wrap.text("kind") === "passkey").map((wrap) => ({
      device_id: wrap.uuid("device_id"),
      credential_id: wrap.text("credential_id", LONGEST_ID),
      salt: wrap.text("salt"),
      name: wrap.text("name"),
      created_at: wrap.time("created_at"),
      last_used_at: wrap.lacks("last_used_at") ? null : wrap.time("last_used_at"),
    }));
  const ids = passkeys.map(({ credential_id }) => credential_id);
  must(new Set(ids).size === ids.length, "two passkeys have the same credential");
  return passkeys.sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at));
}

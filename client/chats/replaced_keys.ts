/**
 * Brings back the keys of a user who is locked out, because somebody has changed the password or the recovery key: with
 * the one from before, whose wrap the server keeps for some time.
 *
 * @module
 */

import { deriveRecoveryKey, MIN_COST, type WrappingKey } from "../crypto/mod.ts";
import { defined, Members, must } from "./answers.ts";
import type { ChatStore } from "./chat_store.ts";
import { ChatsError } from "./chats_error.ts";
import { openCurrent, wrapUnderEach } from "./key_chain.ts";
import { KeyRequests } from "./key_requests.ts";
import { checkNewPassword } from "./new_password.ts";
import { PasswordKeys } from "./password_keys.ts";
import { type RequestOptions, Requests } from "./requests.ts";
import type { AnySupabaseClient } from "./supabase_client.ts";
import type { KeyWrap, WrappedKeys } from "./wrapped_keys.ts";

/** A wrap that was replaced. */
export interface ReplacedKey {
  readonly id: string;
  /** What it opens with: a password or a recovery key. */
  readonly kind: "password" | "recovery";
  /** Whether the key that it opens is still the current one: only then it can be brought back. */
  readonly is_current: boolean;
  /** When it was made; ISO 8601. */
  readonly created_at: string;
  /** When it was replaced; ISO 8601. */
  readonly replaced_at: string;
  /** When it will be deleted; ISO 8601. */
  readonly kept_until: string;
}

/** What opens a wrap: the password or the recovery key from before the replacement. */
export type Former = { password: string } | { recoveryKey: string };

/** The wraps of one user that were replaced. */
export class ReplacedKeys {
  readonly #requests: Requests;
  readonly #user_id: string;
  readonly #store: ChatStore;

  /**
   * @param supabase client of the signed-in user
   * @param user_id UUID of that user, from the session
   * @param options `store`: that of the `Chats`, which remembers the costliest derivation of a password that this device has
   * seen; how requests are repeated
   */
  constructor(
    supabase: AnySupabaseClient,
    user_id: string,
    { store, ...requests }: RequestOptions & { store: ChatStore },
  ) {
    this.#requests = new Requests(supabase, requests);
    this.#user_id = user_id;
    this.#store = store;
  }

  /** Lists the wraps that are kept, the last replacement first. */
  async list(): Promise<ReplacedKey[]> {
    return await this.#requests.send(
      {
        method: "GET",
        path: "keys/replaced",
        read: (answer) => new Members(answer).list("keys").map(readReplacedKey),
      },
      (keys) => keys,
    );
  }

  /**
   * Opens the current key with a password or a recovery key from before a replacement, and sets a new password. The user
   * must have signed in recently, and after the replacement. Then unlock the keys with the new password, and rotate them:
   * whoever has changed the password has the data key.
   *
   * @param id of the wrap, from `list`
   * @param former the password or the recovery key from before
   * @param newPassword for the chats
   * @throws ChatsError 403 `reauthentication_needed`: let the user sign in again; 404 `replaced_key_not_found`;
   * `keys_rotated`: the key that it opens is no longer the current one; 409 `version_conflict`; `password_too_short`,
   * `password_too_common`, `password_weakened`; CryptoError `decryption_failed`: it is not the password, or not the
   * recovery key; `malformed_recovery_key`, `recovery_key_mistyped`
   */
  async bringBack(id: string, former: Former, newPassword: string): Promise<void> {
    await checkNewPassword(newPassword);
    const passwords = new PasswordKeys(this.#store, MIN_COST);
    const requests = new KeyRequests(this.#requests);
    const stored = withWrap(await requests.read(), await this.#read(id, former));
    const under: WrappingKey = "password" in former
      ? await passwords.unlocking(stored, former)
      : await deriveRecoveryKey(former.recoveryKey);
    const key = await openCurrent(stored, under, this.#user_id, { extractable: true });
    const wraps = await wrapUnderEach(key, [await passwords.derive(newPassword)], this.#user_id);
    await requests.set(stored, { key, wraps }, () => {});
  }

  async #read(id: string, former: Former): Promise<KeyWrap & { key_id: string }> {
    return await this.#requests.send({
      method: "GET",
      path: `keys/replaced/${encodeURIComponent(id)}`,
      read: (answer) => readReplacedWrap(answer, id, former),
    }, (wrap) => wrap);
  }
}

/** Puts a wrap in place of the one that has replaced it. */
function withWrap(stored: WrappedKeys, wrap: KeyWrap & { key_id: string }): WrappedKeys {
  const [current, ...older] = stored.keys;
  if (current?.id !== wrap.key_id) {
    throw new ChatsError("keys_rotated", "The keys were rotated since: it opens an older key");
  }
  // The first of its kind is used.
  return { ...stored, keys: [{ ...current, wraps: [wrap, ...current.wraps] }, ...older] };
}

function readReplacedKey(key: Members): ReplacedKey {
  const kind = key.text("kind");
  must(/^(password|recovery)$/.test(kind), "a wrap of this kind is not kept");
  return {
    id: key.uuid("id"),
    kind: kind as ReplacedKey["kind"],
    is_current: key.flag("is_current"),
    created_at: key.time("created_at"),
    replaced_at: key.time("replaced_at"),
    kept_until: key.time("kept_until"),
  };
}

function readReplacedWrap(
  answer: unknown,
  id: string,
  former: Former,
): KeyWrap & { key_id: string } {
  const members = new Members(answer);
  must(members.uuid("id") === id, "it names a wrap other than the requested one");
  const kind = "password" in former ? "password" : "recovery";
  must(members.text("kind") === kind, `the wrap is not of the kind ${kind}`);
  const cost = (name: string) => members.lacks(name) ? undefined : members.count(name);
  const parameters = {
    salt: members.lacks("salt") ? undefined : members.text("salt"),
    iterations: cost("iterations"),
    memory_kib: cost("memory_kib"),
    passes: cost("passes"),
  };
  const created_at = members.time("created_at");
  const wrap = { kind, wrap: members.text("wrap"), created_at, ...defined(parameters) } as const;
  return { ...wrap, key_id: members.uuid("key_id") };
}

/**
 * Unlocks encrypted chats with a passkey, where the browser derives keys from passkeys (the PRF extension of WebAuthn).
 *
 * ```ts
 * const passkeys = new Passkeys({ supabase, user_id, chats, rp: { name: "Chat" } });
 * if (await passkeys.supported()) await passkeys.add("MacBook", { name: user.email });
 * await passkeys.unlock(); // in place of chats.keys.unlock({ password })
 * ```
 *
 * `docs/passkeys.md` specifies the format.
 *
 * @module
 */

import { change } from "../chats/requests.ts";
import { Members, must } from "../chats/answers.ts";
import type { Chats } from "../chats/chats.ts";
import { ChatsError } from "../chats/chats_error.ts";
import { KeyRequests } from "../chats/key_requests.ts";
import { Requests } from "../chats/requests.ts";
import type { AnySupabaseClient } from "../chats/supabase_client.ts";
import { randomBytes } from "../crypto/aes_gcm.ts";
import { toBase64 } from "../crypto/encoding.ts";
import { CryptoError, derivePasskeyKey, passkeyInput } from "../crypto/mod.ts";
import {
  type Answer,
  askPasskeys,
  browserCredentials,
  browserDerivesKeys,
  createPasskey,
  type Credentials,
  type NewCredential,
} from "./authenticator.ts";
import { passkeyErrors } from "./passkey_errors.ts";
import { openName, sealName } from "./passkey_name.ts";
import { readPasskeys, type StoredPasskey } from "./stored_passkeys.ts";

export { ChatsError } from "../chats/chats_error.ts";
export { CryptoError } from "../crypto/mod.ts";
export type { Credentials, NewCredential } from "./authenticator.ts";

/** What passkeys work with. */
export interface PasskeysOptions {
  readonly supabase: AnySupabaseClient;
  /** UUID of the signed-in user. */
  readonly user_id: string;
  /** The chats of that user on this device. */
  readonly chats: Chats;
  /** `name`: of the app, which the browser shows; `id`: its domain (that of the page). It must never change. */
  readonly rp: NewCredential["rp"];
  /** The browser's (`navigator.credentials`). */
  readonly credentials?: Credentials;
}

/** A passkey that unlocks the chats. */
export interface Passkey {
  /** UUID: `chats.keys.revokeDevice` revokes it. */
  readonly device_id: string;
  /** Null while the keys are locked, or if the server has changed it. */
  readonly name: string | null;
  /** ISO 8601. */
  readonly created_at: string;
  /** ISO 8601; null if it was not used yet. The server says so. */
  readonly last_used_at: string | null;
  /** Its id in the authenticator, in base64url. */
  readonly credential_id: string;
}

const SALT_BYTES = 32;

/** The longest name of a passkey, in characters. */
const LONGEST_NAME = 64;

/** The passkeys of one user. */
export class Passkeys {
  readonly #options: PasskeysOptions;
  readonly #user_id: string;
  readonly #requests: Requests;

  /** @param options what it works with */
  constructor(options: PasskeysOptions) {
    this.#options = options;
    this.#user_id = options.user_id.toLowerCase();
    this.#requests = new Requests(options.supabase);
  }

  /** Whether this browser can derive keys from passkeys. If it does not say, true: `add` finds out. */
  async supported(): Promise<boolean> {
    if (this.#options.credentials) return true;
    return await browserDerivesKeys() ?? true;
  }

  /**
   * Makes a passkey that unlocks the chats. The keys must be unlocked. The user confirms once, with some passkeys twice.
   *
   * @param name for the list, 1 to 64 characters; only the user's devices can read it
   * @param user `name`: tells accounts apart in the browser's list, such as the address; `display_name`: of the user
   * @throws ChatsError `passkey_unsupported`, `passkey_without_keys`, `passkey_cancelled`, `passkey_exists`, `passkey_refused`;
   * `keys_locked`; 409 `too_many_devices`, `version_conflict` if another device changes the keys at the same time: then
   * `renew` the passkey
   */
  async add(name: string, user: NewCredential["user"]): Promise<Passkey> {
    const credentials = this.#credentials();
    this.#requireKeys();
    const stored = await this.#stored();
    const salt = toBase64(randomBytes(SALT_BYTES));
    const answer = await createPasskey(credentials, {
      ...{ rp: this.#options.rp, user, user_id: this.#user_id },
      known: stored.map(({ credential_id }) => credential_id),
    }, await passkeyInput(this.#user_id, salt));
    const device_id = crypto.randomUUID();
    await this.#keep(name, { device_id, salt }, answer);
    return await this.#find(device_id);
  }

  /**
   * Lets a passkey unlock the chats again, for example after `chats.keys.rotate`, which ends all passkeys: whoever had the old
   * key could otherwise have added one. Nothing is made in the authenticator.
   *
   * @param passkey from `list`, before the rotation
   * @throws ChatsError as `add`
   */
  async renew({ device_id, credential_id, name }: Passkey): Promise<Passkey> {
    this.#requireKeys();
    const salt = toBase64(randomBytes(SALT_BYTES));
    const input = await passkeyInput(this.#user_id, salt);
    const question = { credential_id, input };
    const answer = await askPasskeys(this.#credentials(), [question], this.#options.rp.id);
    await this.#keep(name ?? "?", { device_id, salt }, answer);
    return await this.#find(device_id);
  }

  /**
   * Unlocks the keys with whichever passkey the user chooses.
   *
   * @throws ChatsError `passkey_not_found` if none unlocks the current keys; `passkey_unsupported`, `passkey_without_keys`,
   * `passkey_cancelled`, `passkey_refused`; `passkey_false` if the server has changed what it stores about the passkey;
   * `keys_not_found`, `keys_rolled_back`
   */
  async unlock(): Promise<void> {
    const stored = await this.#stored();
    if (stored.length === 0) throw passkeyErrors.notFound();
    const questions = await Promise.all(stored.map(async ({ credential_id, salt }) => ({
      credential_id,
      input: await passkeyInput(this.#user_id, salt).catch((error) => {
        throw passkeyErrors.false(error);
      }),
    })));
    const answer = await askPasskeys(this.#credentials(), questions, this.#options.rp.id);
    // askPasskeys has found it among them.
    const used = stored.find(({ credential_id }) => credential_id === answer.credential_id)!;
    const passkey = await derivePasskeyKey(answer.output, used);
    try {
      await this.#options.chats.keys.unlock({ passkey });
    } catch (error) {
      const falseOne = error instanceof CryptoError && error.code === "decryption_failed";
      const missing = error instanceof ChatsError && error.code === "device_not_found";
      throw falseOne ? passkeyErrors.false(error) : missing ? passkeyErrors.notFound(error) : error;
    }
    await this.#noteUse(used.device_id);
  }

  /** Lists the passkeys that unlock the current keys, the newest first. */
  async list(): Promise<Passkey[]> {
    const { keys } = this.#options.chats;
    const stored = await this.#stored();
    const key = keys.dataKeys[0];
    return await Promise.all(
      stored.map(async ({ device_id, credential_id, created_at, last_used_at, ...sealed }) => {
        const place = { user_id: this.#user_id, device_id };
        const name = key ? await openName(sealed.name, place, key) ?? null : null;
        return { device_id, name, created_at, last_used_at, credential_id };
      }),
    );
  }

  /** Locked keys must not cost the user a confirmation. */
  #requireKeys(): void {
    this.#options.chats.keys.current; // throws if they are locked
  }

  #credentials(): Credentials {
    return this.#options.credentials ?? browserCredentials();
  }

  async #stored(): Promise<StoredPasskey[]> {
    const request = { method: "GET", path: "keys", read: readPasskeys } as const;
    return await this.#requests.send(request, (stored) => stored);
  }

  async #find(device_id: string): Promise<Passkey> {
    const passkey = (await this.list()).find((passkey) => passkey.device_id === device_id);
    must(passkey !== undefined, "the passkey that was just stored is missing");
    return passkey!;
  }

  /** Stores the wrap of a passkey, and its name. */
  async #keep(
    name: string,
    { device_id, salt }: { device_id: string; salt: string },
    { credential_id, output }: Answer,
  ): Promise<void> {
    const { keys } = this.#options.chats;
    const shown = [...name.trim()].slice(0, LONGEST_NAME).join("") || "?";
    const sealed = await sealName(shown, { user_id: this.#user_id, device_id }, keys.current);
    const parameters = { device_id, credential_id, salt, name: sealed };
    const { stored, wraps } = await keys.wrap(await derivePasskeyKey(output, parameters));
    await new KeyRequests(this.#requests).set(stored, { key: keys.current, wraps }, () => {});
  }

  /** Says that a passkey was used. Nobody needs to know if that fails. */
  async #noteUse(device_id: string): Promise<void> {
    const path = `keys/passkeys/${device_id}/use`;
    const request = change("PUT", path, {}, (answer) => new Members(answer));
    await this.#requests.send(request, () => {}).catch(() => {});
  }
}

/**
 * Password keys: how costly their derivation is, on this device.
 *
 * @module
 */

import {
  type Argon2idCost,
  checkCost,
  derivePasswordKey,
  newPasswordParameters,
  type PasswordKey,
  workOf,
  type WrappingKey,
} from "../crypto/mod.ts";
import type { ChatStore } from "./chat_store.ts";
import { ChatsError } from "./chats_error.ts";
import {
  passwordParameters,
  type Unlocking,
  unlockingKey,
  workOfParameters,
  type WrappedKeys,
} from "./wrapped_keys.ts";

/** Derives password keys, never cheaper than this device has seen. */
export class PasswordKeys {
  readonly #store: ChatStore;
  readonly #chosen: Argon2idCost;

  /**
   * @param store remembers the costliest derivation that this device has seen
   * @param chosen the cost of new password keys
   * @throws CryptoError `key_parameters_refused`
   */
  constructor(store: ChatStore, chosen: Argon2idCost) {
    checkCost(chosen);
    this.#store = store;
    this.#chosen = chosen;
  }

  /** Derives the key that opens the keys on the server. */
  async unlocking(stored: WrappedKeys, by: Unlocking): Promise<WrappingKey> {
    return await unlockingKey(stored, by, await this.#seen());
  }

  /** The cost of new password keys. */
  async cost(): Promise<Argon2idCost> {
    const seen = await this.#seen();
    return seen && workOf(seen) > workOf(this.#chosen) ? seen : this.#chosen;
  }

  /** Derives a new password key. */
  async derive(password: string): Promise<PasswordKey> {
    return await derivePasswordKey(password, newPasswordParameters(await this.cost()));
  }

  /**
   * Wraps the key again if the password's derivation is cheaper than that of new ones: nobody has to notice.
   *
   * @param stored the keys on the server
   * @param setPassword wraps the key under the password again
   */
  async strengthen(stored: WrappedKeys, setPassword: () => Promise<void>): Promise<void> {
    if (!await this.#isOutdated(stored)) return;
    try {
      await setPassword();
    } catch (error) {
      // The keys are open. The next password entry tries again.
      if (!(error instanceof ChatsError)) throw error;
    }
  }

  /** Whether the keys on the server are not yet as new ones are: with a costlier derivation, and with a proof. */
  async #isOutdated(stored: WrappedKeys): Promise<boolean> {
    const parameters = passwordParameters(stored);
    if (stored.proof_number === null) return true;
    return parameters !== undefined && workOfParameters(parameters) < workOf(await this.cost());
  }

  async #seen(): Promise<Argon2idCost | null> {
    return (await this.#store.state()).password_cost ?? null;
  }
}
